//! How a benchmark ends: one line of figures, and the same as JSON under target/bench.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::Error;

/// Named figures, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<(String, String)>);

impl Figures {
    /// Adds a figure, rounded to `decimals`.
    pub fn add(&mut self, key: &str, value: f64, decimals: usize) {
        self.0.push((key.to_owned(), format!("{value:.decimals$}")));
    }

    /// `key=value key=value`.
    fn line(&self) -> String {
        let pairs: Vec<_> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(" ")
    }

    fn json(&self) -> Map<String, Value> {
        let number = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        self.0.iter().map(|(key, value)| (key.clone(), number(value))).collect()
    }
}

/// `target/bench`, made if need be.
pub fn directory() -> Result<PathBuf, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root.join(target),
        None => root.join("target"),
    };
    let directory = target.join("bench");
    fs::create_dir_all(&directory)?;
    Ok(directory.canonicalize()?)
}

/// Prints the line `NAME: key=value …` and writes `target/bench/NAME.json`.
pub fn finish(name: &str, figures: &Figures, details: &Value) -> Result<(), Error> {
    let file = directory()?.join(format!("{name}.json"));
    let content = json!({ "bench": name, "figures": figures.json(), "details": details });
    fs::write(file, serde_json::to_vec_pretty(&content)?)?;
    println!("{name}: {}", figures.line());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_keeps_order_and_rounding() {
        let mut figures = Figures::default();
        figures.add("payments", 10.26, 1);
        figures.add("allocs", 0.0, 0);
        assert_eq!(figures.line(), "payments=10.3 allocs=0");
        assert_eq!(Value::Object(figures.json()), json!({"payments": 10.3, "allocs": 0}));
    }
}
