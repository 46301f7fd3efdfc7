//! FINDINGS.md says what the source says.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use portcullis_engine::finding::FindingCode;

const DOCUMENT: &str = include_str!("../FINDINGS.md");

#[test]
fn every_finding_has_its_row_and_its_section() {
    let rows: Vec<(&str, &str)> = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let (code, rest) = row.split_once("` | ").unwrap();
            (code, rest.split_once(" | ").unwrap().0)
        })
        .collect();
    let expected: Vec<(&str, String)> = FindingCode::ALL
        .iter()
        .map(|code| {
            let status = match code.status() {
                0 => "note".to_owned(),
                status => status.to_string(),
            };
            (code.name(), status)
        })
        .collect();
    let found: Vec<(&str, String)> =
        rows.iter().map(|(code, status)| (*code, (*status).to_owned())).collect();
    assert_eq!(found, expected);
    let sections: Vec<&str> =
        DOCUMENT.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    for code in FindingCode::ALL {
        let count = sections.iter().filter(|section| **section == code.name()).count();
        assert_eq!(count, 1, "section of `{}`", code.name());
    }
    assert_eq!(sections.len(), FindingCode::ALL.len(), "a section of no finding");
}

#[test]
fn labels_and_uris_are_made_of_the_code() {
    for code in FindingCode::ALL {
        let name = code.name();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        assert_eq!(code.uri(), format!("urn:portcullis:finding:{name}"));
        assert_eq!(code.block_label(), format!("block:{name}"));
        assert_eq!(code.monitor_label(), format!("monitor:{name}"));
    }
}
