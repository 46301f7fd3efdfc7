//! What the same variants cost without noise: calls of the host that the module makes, and instructions of the engine
//! built for this machine, under callgrind.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::cost::POLICIES;
use super::{Options, configuration, judge};
use crate::Error;
use crate::report::{self, Figures};

/// Requests under callgrind, of which the first half is not counted.
const REQUESTS: u32 = 2000;
/// Figure, variant, the variant that it is compared with, and by how many limits they differ.
const DIFFERENCES: [(&str, &str, &str, f64); 4] = [
    ("first", "one", "filter", 1.0),
    ("further", "eight", "one", 7.0),
    ("other_caller", "two_callers", "one", 1.0),
    ("address", "address", "filter", 1.0),
];

/// What the driver says of a variant.
#[derive(Debug, Deserialize)]
struct Counted {
    name: String,
    calls: BTreeMap<String, f64>,
}

pub(super) fn run(options: &Options, figures: &mut Figures) -> Result<Value, Error> {
    let counted = calls(options)?;
    let instructions = instructions()?;
    println!("{:<14}{:>8}{:>14}  a request", "", "calls", "instructions");
    let mut rows = Vec::new();
    for Counted { name, calls } in &counted {
        let own = instructions.as_ref().and_then(|all| all.get(name.as_str())).copied();
        let text = own.map_or_else(|| "-".to_owned(), |own| format!("{own:.0}"));
        println!("{name:<14}{:>8.1}{text:>14}", calls.values().sum::<f64>());
        rows.push(json!({ "variant": name, "calls": calls, "instructions": own }));
    }
    let calls = |name: &str| {
        let variant = counted.iter().find(|it| it.name == name);
        variant.map_or(f64::NAN, |it| it.calls.values().sum())
    };
    for (figure, more, less, limits) in DIFFERENCES {
        figures.add(&format!("{figure}_calls"), (calls(more) - calls(less)) / limits, 1);
        if let Some(all) = &instructions {
            let of = |name: &str| all.get(name).copied().unwrap_or(f64::NAN);
            figures.add(&format!("{figure}_instructions"), (of(more) - of(less)) / limits, 0);
        }
    }
    Ok(json!(rows))
}

/// What the module asks of its host.
fn calls(options: &Options) -> Result<Vec<Counted>, Error> {
    let mut variants = Vec::new();
    for (name, members) in POLICIES {
        variants.push(json!({ "name": name, "configuration": configuration(&members())? }));
    }
    let requests: Vec<_> = (0..64).map(judge::headers).collect();
    let input = report::directory()?.join("limits.input.json");
    std::fs::write(&input, json!({ "variants": variants, "requests": requests }).to_string())?;
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("driver/hostcalls.mjs");
    let output = Command::new("node").arg(driver).arg(&options.filter).arg(input).output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Program { program: "node", reason });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What the engine executes, by variant; `None` without valgrind.
fn instructions() -> Result<Option<BTreeMap<&'static str, f64>>, Error> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions skipped: no valgrind");
        return Ok(None);
    }
    let mut all = BTreeMap::new();
    for (name, _) in POLICIES {
        let [half, whole] = [REQUESTS / 2, REQUESTS].map(|requests| collected(name, requests));
        all.insert(name, (whole? - half?) / f64::from(REQUESTS / 2));
    }
    Ok(Some(all))
}

/// Runs this program under callgrind, and reads what it says at the end: `Collected : 123`.
fn collected(variant: &str, requests: u32) -> Result<f64, Error> {
    let out = report::directory()?.join(format!("limits.{variant}.callgrind"));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        .arg(std::env::current_exe()?)
        .args(["judge-limits", variant, &requests.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let number =
        text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    number.ok_or_else(|| Error::Program { program: "valgrind", reason: text.into_owned() })
}
