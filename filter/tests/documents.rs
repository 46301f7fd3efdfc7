//! The documents name everything that the filter shows, and nothing else.
#![allow(clippy::unwrap_used, reason = "tests")]

use portcullis_filter::refusal::Reason;

const CONFIGURATION: &str = include_str!("../CONFIGURATION.md");
const OBSERVABILITY: &str = include_str!("../OBSERVABILITY.md");
const SOURCE: &str = include_str!("../src/metrics.rs");

#[test]
fn every_metric_is_documented() {
    let names = SOURCE.split('"').filter(|text| text.starts_with("portcullis."));
    let mut count = 0;
    for name in names {
        count += 1;
        assert!(OBSERVABILITY.contains(&format!("`{}", name.trim_end_matches('.'))), "{name}");
    }
    assert!(count >= 10, "{count}");
    for reason in Reason::ALL {
        assert!(OBSERVABILITY.contains(&format!("`{}`", reason.name())), "{reason:?}");
    }
}

#[test]
fn every_field_is_documented() {
    let source = include_str!("../src/config.rs");
    let start = source.find("pub struct Document").unwrap();
    let body = source[start..].split("\n}").next().unwrap();
    let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    let names: Vec<&str> = fields.map(|(name, _)| name).collect();
    assert_eq!(names.len(), 12, "{names:?}");
    for name in names {
        // Labels stand in the node's metadata alone, and in a sentence.
        let place = if name == "labels" { "`labels`" } else { &format!("| `{name}` |") };
        assert!(CONFIGURATION.contains(place), "{name}");
    }
}

#[test]
fn the_schema_of_log_lines_is_json() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../finding.schema.json")).unwrap();
    assert_eq!(schema["properties"]["portcullis"]["const"], 1);
}
