//! The packs that are built in.

use crate::diag::{self, Diagnostic, did_you_mean};

/// The name of the pack that `attacks: {}` means.
pub const API_CORE: &str = "api-core";

/// The files of a pack that is built in, by path and text.
pub fn files(name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    (name == API_CORE).then_some(FILES)
}

/// What is said where a policy names a pack that is not built in and no file.
pub(super) fn unknown(name: &str) -> Diagnostic {
    let title = format!("no pack `{name}` is built in");
    let help = did_you_mean(name, [API_CORE]).unwrap_or_else(|| {
        format!("`{API_CORE}` is; a file is named with its extension, as `rules.yaml`")
    });
    Diagnostic::new(diag::RULE_PACK, title).help(help)
}

macro_rules! files {
    ( $( $file:literal ),* $(,)? ) => {
        const FILES: &[(&str, &str)] = &[ $( (
            concat!("api-core/", $file),
            include_str!(concat!("../../packs/api-core/", $file)),
        ) ),* ];
    };
}

files![
    "code.yaml",
    "command.yaml",
    "evasion.yaml",
    "files.yaml",
    "leaks.yaml",
    "nosql.yaml",
    "objects.yaml",
    "protocol.yaml",
    "shell.yaml",
    "sqli.yaml",
    "ssrf.yaml",
    "tokens.yaml",
    "xss.yaml",
];

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/packs/api-core");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("api-core/{}", entry.unwrap().file_name().to_string_lossy()))
            .filter(|name| name.ends_with(".yaml"))
            .collect();
        found.sort();
        let listed: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(found, listed);
    }
}
