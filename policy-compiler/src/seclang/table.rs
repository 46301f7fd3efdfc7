//! The table of CRS.md: every word of the language, and what becomes of it.

use super::names::{ActionName, Collection, CtlName, Directive, OperatorName, Support};
use portcullis_bundle::layout::Transformation;

fn row(out: &mut String, name: &str, support: Support) {
    let said = match support {
        Support::Full => "supported".to_owned(),
        Support::Partly(why) if why.starts_with('`') => why.to_owned(),
        Support::Partly(why) => format!("within one exchange: {why}"),
        Support::NoEffect(why) => format!("read, without effect: {why}"),
        Support::Refused(why) => format!("refused: {why}"),
    };
    out.push_str(&format!("| `{name}` | {said} |\n"));
}

/// The tables, as Markdown.
pub fn tables() -> String {
    let mut out = String::new();
    let mut section = |title: &str, rows: Vec<(&str, Support)>| {
        out.push_str(&format!("\n### {title}\n\n| word | |\n|---|---|\n"));
        rows.into_iter().for_each(|(name, support)| row(&mut out, name, support));
    };
    section("Variables", Collection::ALL.iter().map(|it| (it.name(), it.support())).collect());
    section("Operators", OperatorName::ALL.iter().map(|it| (it.name(), it.support())).collect());
    let known = Transformation::ALL.iter().filter_map(|it| it.seclang_name());
    let refused = super::read::REFUSED_TRANSFORMATIONS;
    let transformations = known
        .map(|name| (name, Support::Full))
        .chain([("none", Support::Full)])
        .chain(refused.iter().map(|name| (*name, Support::Refused("not yet"))));
    section("Transformations", transformations.collect());
    section("Actions", ActionName::ALL.iter().map(|it| (it.name(), it.support())).collect());
    section("Options of `ctl`", CtlName::ALL.iter().map(|it| (it.name(), it.support())).collect());
    section("Directives", Directive::ALL.iter().map(|it| (it.name(), it.support())).collect());
    out
}

#[cfg(test)]
mod tests {
    const BEGIN: &str = "<!-- words: begin -->\n";
    const END: &str = "\n<!-- words: end -->";

    #[test]
    fn the_page_says_what_becomes_of_every_word() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CRS.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (before, rest) = page.split_once(BEGIN).expect("CRS.md has its begin marker");
        let (found, after) = rest.split_once(END).expect("CRS.md has its end marker");
        let wanted = super::tables();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
            return;
        }
        assert_eq!(found, wanted, "run with UPDATE=1 to write it");
    }
}
