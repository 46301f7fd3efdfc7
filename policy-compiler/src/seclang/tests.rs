use super::resolve::Resolved;
use super::*;
use crate::diag::Diagnostics;
use crate::source::{Library, Memory};

fn read(text: &str) -> Vec<Statement> {
    let mut diagnostics = Diagnostics::default();
    let statements = parse("a.conf", text, &mut diagnostics);
    assert!(diagnostics.sorted().is_empty(), "{:?}", diagnostics.sorted());
    statements
}

fn rule(text: &str) -> Rule {
    match read(text).remove(0).body {
        Body::Rule(rule) => rule,
        other => panic!("{other:?}"),
    }
}

fn wrong(text: &str) -> Vec<(String, u32, u32)> {
    let mut diagnostics = Diagnostics::default();
    parse("a.conf", text, &mut diagnostics);
    let place = |it: &crate::diag::Diagnostic| {
        let span = &it.labels[0].span;
        (it.code.id.to_owned(), span.line, span.column)
    };
    diagnostics.sorted().iter().map(|it| place(it)).collect()
}

#[test]
fn variables_with_selectors() {
    let rule = rule(
        r#"SecRule "ARGS|!ARGS:pass|&REQUEST_HEADERS:Host|!ARGS:/^a|b\/c$/|XML:/*|XML://@*|args_names|TX:'x y'" "@rx a" "id:1,phase:2""#,
    );
    let read: Vec<_> =
        rule.variables.iter().map(|it| (it.sense, it.collection, it.selector.clone())).collect();
    use Collection as C;
    use Selector as S;
    use Sense::{Count, Values, Without};
    let wanted = [
        (Values, C::Args, S::All),
        (Without, C::Args, S::Name("pass".into())),
        (Count, C::RequestHeaders, S::Name("Host".into())),
        (Without, C::Args, S::Regex("^a|b/c$".into())),
        (Values, C::Xml, S::XPath("/*".into())),
        (Values, C::Xml, S::XPath("//@*".into())),
        (Values, C::ArgsNames, S::All),
        (Values, C::Tx, S::Name("x y".into())),
    ];
    assert_eq!(read, wanted);
}

#[test]
fn operators_negated_and_implied() {
    let operator =
        |text: &str| rule(&format!("SecRule ARGS \"{text}\" \"id:1\"")).operator.unwrap();
    let plain = operator("^a b$");
    assert_eq!((plain.name, plain.negated), (OperatorName::Rx, false));
    assert_eq!(plain.argument.plain(), Some("^a b$"));
    let negated = operator("!@within %{tx.allowed_methods} x");
    assert!(negated.negated && negated.name == OperatorName::Within);
    let wanted = [
        Piece::Macro { collection: Collection::Tx, key: Some("allowed_methods".into()) },
        Piece::Text(" x".into()),
    ];
    assert_eq!(negated.argument.0, wanted);
    assert!(operator("!a").negated);
    assert_eq!(operator("@detectSQLi").argument.plain(), Some(""));
    // Not a macro, but what an expression looks for.
    assert_eq!(operator("@rx a%{[0-9]}").argument.plain(), Some("a%{[0-9]}"));
}

#[test]
fn actions_with_values() {
    let rule = rule(concat!(
        "SecRule ARGS \"@rx a\" \\\n \"id:942100,\\\n phase:request,\\\n block,capture,chain,\\\n t:none,t:urlDecodeUni,\\\n",
        " msg:'It\\'s, %{MATCHED_VAR_NAME}',\\\n severity:'CRITICAL',\\\n setvar:'tx.a_%{tx.0}=+%{tx.b}',\\\n",
        " setvar:!tx.c,setvar:tx.d,skipAfter:END,ctl:'ruleRemoveTargetById=1-5;ARGS:/x,y/'\"\n"
    ));
    let kinds: Vec<_> = rule.actions.iter().map(|it| it.kind.clone()).collect();
    let tx = |key: &str| Piece::Macro { collection: Collection::Tx, key: Some(key.into()) };
    let text = |text: &str| Piece::Text(text.into());
    assert!(kinds.contains(&ActionKind::Id(942_100)) && kinds.contains(&ActionKind::Phase(2)));
    assert!(
        kinds.contains(&ActionKind::Severity(2)) && kinds.contains(&ActionKind::Transform(None))
    );
    let named = Piece::Macro { collection: Collection::MatchedVarName, key: None };
    assert!(kinds.contains(&ActionKind::Message(Template(vec![text("It's, "), named]))));
    let sets: Vec<_> = kinds
        .iter()
        .filter_map(|kind| match kind {
            ActionKind::SetVar(set) => Some(set.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(sets[0].name, Template(vec![text("a_"), tx("0")]));
    assert_eq!(sets[0].change, Change::Add(Template(vec![tx("b")])));
    assert_eq!(sets[1].change, Change::Remove);
    assert_eq!(sets[2].change, Change::Set(Template(vec![text("1")])));
    let at =
        rule.actions.iter().find(|it| it.kind == ActionKind::SkipAfter("END".into())).unwrap().at;
    assert_eq!((at.line, at.column), (9, 27));
}

#[test]
fn directives_of_every_kind() {
    let read = read(concat!(
        "SecRuleEngine On\nSecMarker \"END\"\nSecRuleRemoveById 1 \"5-9\" 12\nSecRuleRemoveByTag attack-.*\n",
        "SecRuleUpdateTargetById 942100 \"!ARGS:x\"\nSecRuleUpdateTargetByTag x ARGS:a ARGS:b\n",
        "SecRuleUpdateActionById 12:1 \"t:none,pass\"\nSecDefaultAction \"phase:1,pass\"\n",
    ));
    assert_eq!(read.len(), 7);
    assert_eq!(read[1].body, Body::Remove(Which::Ids(vec![(1, 1), (5, 9), (12, 12)])));
    assert!(
        matches!(&read[5].body, Body::UpdateActions { id: 12, link: 1, actions } if actions.len() == 2)
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let one = |text: &str| {
        let mut found = wrong(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found.remove(0)
    };
    let told = |code: &str, line, column| (code.to_owned(), line, column);
    assert_eq!(one("\nSecRuel ARGS \"a\"\n"), told("PC0821", 2, 1));
    assert_eq!(one("SecRule ARGZ \"@rx a\" \"id:1\""), told("PC0820", 1, 9));
    assert_eq!(one("SecRule ARGS \"@rxx a\" \"id:1\""), told("PC0820", 1, 15));
    assert_eq!(one("SecRule ARGS \"@rx a\" \"id:1,\\\n  blok\""), told("PC0820", 2, 3));
    assert_eq!(one("SecRule ARGS \"@rx a\" \"id:1,t:rot13\""), told("PC0820", 1, 28));
    assert_eq!(one("SecRemoteRules a b"), told("PC0822", 1, 1));
    for text in [
        "SecRule ARGS",
        "SecRule ARGS: \"a\"",
        "SecRule \"ARGS:/a\" \"a\"",
        "SecRule ARGS;X \"a\"",
        "SecAction \"id:x\"",
        "SecAction \"phase:6\"",
        "SecAction \"msg:'a\"",
        "SecAction \"msg\"",
        "SecAction \"setvar:args.x=1\"",
        "SecAction \"setvar:'tx.a=%{x'\"",
        "SecAction \"setvar:'tx.a=%{nothing.x}'\"",
        "SecAction \"ctl:ruleRemoveById=a\"",
        "SecAction \"ctl:ruleEngine=Maybe\"",
        "SecAction \"ctl:ruleRemoveTargetById=1\"",
        "SecAction \"severity:HIGH\"",
        "SecRuleRemoveById 5-1",
        "SecDefaultAction \"pass\"",
        "SecMarker",
    ] {
        assert_eq!(one(text).0, "PC0820", "{text}");
    }
}

#[test]
fn refused_words_are_told_of_their_rule() {
    let rule = rule("SecRule GEO:COUNTRY_CODE \"@rbl x\" \"id:1,exec:/bin/x\"");
    let titles: Vec<&str> = rule.refused.iter().map(|it| it.title.as_str()).collect();
    assert_eq!(titles.len(), 3, "{titles:?}");
    let hashed = "SecRule ARGS \"@rx a\" \"id:1,phase:2,deny,t:lowercase,t:md5\"\n";
    assert_eq!(loaded(hashed), (vec!["PC0824".to_owned()], vec![]));
    assert!(titles[0].starts_with("the variable `GEO` is refused: "));
}

fn from_files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    path: &str,
) -> (usize, Vec<String>) {
    let memory = Memory::new(files);
    let mut library = Library::new(&memory);
    let mut diagnostics = Diagnostics::default();
    let statements = super::files(&[path.to_owned()], &mut library, &mut diagnostics);
    let codes = diagnostics.sorted().iter().map(|it| it.code.id.to_owned()).collect();
    (statements.len(), codes)
}

#[test]
fn files_include_others() {
    let files = [
        (
            "c/main.conf",
            "Include rules/*.conf\nIncludeOptional none/*.conf\nIncludeOptional ../x/*.conf\n",
        ),
        ("c/rules/b.conf", "SecMarker B\n"),
        ("c/rules/a.conf", "SecMarker A\nInclude b.conf\n"),
        ("c/rules/a.conf.example", "SecMarker X\n"),
    ];
    assert_eq!(from_files(files, "c/main.conf"), (3, vec![]));
    let missing = [("main.conf", "Include none/*.conf\nInclude none.conf\n")];
    assert_eq!(from_files(missing, "main.conf").1.len(), 2);
}

#[test]
fn endless_includes_end() {
    let circle = [("a.conf", "Include b.conf\n"), ("b.conf", "SecMarker B\nInclude a.conf\n")];
    assert_eq!(from_files(circle, "a.conf"), (1, vec!["PC0823".to_owned()]));
    let deep: Vec<(String, String)> =
        (0..40).map(|at| (format!("{at}.conf"), format!("Include {}.conf\n", at + 1))).collect();
    let deep = deep.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    assert_eq!(from_files(deep, "0.conf").1, ["PC0823"]);
    // Each file includes all that come after it: without a bound 2^30 files are read.
    let wide: Vec<(String, String)> = (10..40)
        .map(|at| {
            let text: String = (at + 1..40).map(|next| format!("Include {next}.conf\n")).collect();
            (format!("{at}.conf"), text)
        })
        .collect();
    let wide = wide.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    assert!(from_files(wide, "10.conf").1.contains(&"PC0823".to_owned()));
}

#[test]
fn many_rules_and_long_lines_are_read() {
    let many: String = (1..=10_000)
        .map(|id| format!("SecRule ARGS|REQUEST_COOKIES \"@rx a{id}\" \"id:{id},phase:2,block\"\n"))
        .collect();
    assert_eq!(read(&many).len(), 10_000);
    let markers = "SecMarker A\n".repeat(MAX_STATEMENTS + 1);
    assert_eq!(wrong(&markers).len(), 1);
    let variables = "ARGS|".repeat(5_000) + "ARGS";
    assert_eq!(wrong(&format!("SecRule {variables} \"a\"")).len(), 1);
    let giant = format!("SecRule ARGS \"{}\" \"id:1\"\n", "(".repeat(1 << 20));
    assert_eq!(wrong(&giant).len(), 1);
}

/// Codes of what is said of a file of rules, and how many rules are left.
fn loaded(text: &str) -> (Vec<String>, Vec<String>) {
    let (codes, resolved) = resolved(text);
    (codes, resolved.rules.iter().map(|rule| rule.id.clone()).collect())
}

fn resolved(text: &str) -> (Vec<String>, Resolved) {
    let memory = Memory::new([("r/a.conf", text)]);
    let mut library = Library::new(&memory);
    let mut diagnostics = Diagnostics::default();
    let options = Options { folder: "r".to_owned(), ..Options::default() };
    let loaded = load(&options, &mut library, &mut diagnostics);
    (diagnostics.sorted().iter().map(|it| it.code.id.to_owned()).collect(), loaded.resolved)
}

#[test]
fn skips_that_lead_nowhere_are_wrong() {
    for (text, code) in [
        ("SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,skipAfter:EDN\"\nSecMarker END\n", "PC0820"),
        ("SecAction \"id:1,phase:2,pass,nolog,skipAfter:9\"\n", "PC0820"),
        // A marker that stands before it is none that follows.
        ("SecMarker END\nSecRule ARGS \"@rx a\" \"id:1,phase:2,skipAfter:END\"\n", "PC0820"),
    ] {
        assert_eq!(loaded(text).0, [code], "{text}");
    }
    let after_a_rule = "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,nolog,skipAfter:2\"\n\
                        SecRule ARGS \"@rx b\" \"id:2,phase:2,deny\"\n";
    assert_eq!(loaded(after_a_rule), (vec![], vec!["1".to_owned(), "2".to_owned()]));
}

#[test]
fn the_last_disruptive_action_counts() {
    let removals = |text: &str| resolved(text).1.removals.len();
    let rules = "SecRule REQUEST_HEADERS:X-Scanner \"@streq on\" \"id:1,phase:1,nolog,allow\"\n\
                 SecRule ARGS \"@rx a\" \"id:2,phase:2,deny\"\n";
    assert!(removals(rules) > 0);
    for action in ["pass", "deny", "block"] {
        let text = format!("{rules}SecRuleUpdateActionById 1 \"{action}\"\n");
        assert_eq!(removals(&text), 0, "{action}");
    }
    let both = rules.replace("nolog,allow", "nolog,allow,deny");
    assert_eq!(removals(&both), 0);
    let later =
        "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,chain\"\nSecRule ARGS \"@rx b\" \"allow\"\n";
    assert_eq!(loaded(later).0, ["PC0824"]);
}

#[test]
fn what_is_of_the_body_is_not_asked_before_it() {
    for variable in ["ARGS_POST:debug", "REQUEST_BODY", "FILES", "XML:/*"] {
        let text = format!("SecRule {variable} \"@rx ^1$\" \"id:7,phase:1,allow,nolog\"\n");
        assert_eq!(loaded(&text).0, ["PC0824"], "{variable}");
    }
}

#[test]
fn what_reads_other_scores_is_told() {
    let own = "SecRule ARGS \"@rx a\" \"id:1,phase:1,pass,nolog,setvar:tx.bot_score=+1\"\n\
               SecRule TX:bot_score \"@ge 2\" \"id:2,phase:2,deny\"\n";
    assert_eq!(loaded(own).0, ["PC0824"]);
    let category = "SecRule TX:xss_score \"@ge 2\" \"id:2,phase:2,deny\"\n";
    assert_eq!(loaded(category).0, ["PC0824"]);
    let taken = "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.flag=1\"\n\
                 SecRule ARGS \"@rx a\" \"id:2,phase:1,pass,nolog,setvar:!tx.flag\"\n\
                 SecRule TX:flag \"@eq 1\" \"id:3,phase:2,deny,chain\"\nSecRule ARGS \"@rx b\"\n";
    assert_eq!(loaded(taken).0, ["PC0824"]);
}

#[test]
fn directives_that_say_the_default_are_taken() {
    let stock = "SecArgumentSeparator &\nSecCookieFormat 0\nSecParseXmlIntoArgs Off\nSecRuleEngine DetectionOnly\n\
        SecRule REQUEST_HEADERS:Content-Type \"^(?:application(?:/soap\\+|/)|text/)xml\" \"id:'10',phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML\"\n\
        SecRule REQUEST_URI \"@beginsWith /up\" \"id:11,phase:1,pass,nolog,ctl:requestBodyAccess=Off,ctl:responseBodyAccess=Off\"\n\
        SecRule MULTIPART_UNMATCHED_BOUNDARY \"@eq 1\" \"id:'12',phase:2,t:none,log,deny\"\n\
        SecRule TX:/^MSC_/ \"!@streq 0\" \"id:'13',phase:2,t:none,deny,msg:'%{MATCHED_VAR_NAME}'\"\n";
    assert_eq!(loaded(stock), (vec![], vec!["12".to_owned()]));
    assert_eq!(loaded("SecArgumentSeparator ;\nSecCookieFormat 1\n").0, ["PC0822", "PC0822"]);
    let only = "SecRule ARGS \"@rx a\" \"id:1,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly\"\n";
    assert_eq!(loaded(only).0, ["PC0824"]);
    assert_eq!(wrong("SecAction \"id:1,ctl:nothing=1\"")[0].0, "PC0820");
    assert_eq!(wrong("SecAction \"id:1,phase:1,allow:all\"")[0].0, "PC0820");
}

#[test]
fn a_rule_that_is_left_nothing_to_look_at_is_gone() {
    let text = "SecRule ARGS \"@rx a\" \"id:1,phase:2,deny\"\nSecRule ARGS \"@rx b\" \"id:2,phase:2,deny\"\n\
                SecRuleUpdateTargetById 1 !ARGS\n";
    assert_eq!(loaded(text), (vec![], vec!["2".to_owned()]));
}

#[test]
fn variables_that_are_supported_are_values_of_a_message() {
    for collection in Collection::ALL.iter().copied() {
        let by_links = collection.is_set_by_rules() || collection.name().starts_with("MATCHED_VAR");
        if collection.support() != Support::Full || by_links {
            continue;
        }
        let selector = match collection {
            Collection::Xml => Selector::XPath("/*".to_owned()),
            _ => Selector::All,
        };
        let variable = Variable { at: At::default(), sense: Sense::Values, collection, selector };
        assert!(target::of(&variable, 4).is_ok(), "{}", collection.name());
    }
}

#[test]
fn guards_within_what_another_rule_skips_are_known_beforehand() {
    let text = "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass,nolog,skipAfter:END\"\n\
                SecAction \"id:2,phase:2,pass,nolog,skipAfter:LEVEL\"\n\
                SecRule ARGS \"@rx b\" \"id:3,phase:2,deny\"\nSecMarker LEVEL\n\
                SecRule ARGS \"@rx c\" \"id:4,phase:2,deny\"\nSecMarker END\n";
    assert_eq!(loaded(text), (vec![], vec!["1".to_owned(), "4".to_owned()]));
    // What is skipped beyond the other's end depends on the message.
    let crossing = text.replace("SecMarker LEVEL\n", "") + "SecMarker LEVEL\n";
    assert_eq!(loaded(&crossing).1.len(), 4);
}
