//! Counting what test binaries report.
//!
//! libtest, libtest-mimic and wasm-bindgen-test all end with the same `test result:` line. A test
//! that finds something missing on this machine prints a line `skipped: REASON` and returns; it is
//! counted as skipped, not as passed.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process;

/// How many tests passed, failed and were skipped, and why those were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    pub reasons: BTreeSet<String>,
}

impl Counts {
    pub fn success() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    pub fn failure() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    pub fn skip(reason: impl Into<String>) -> Self {
        Self { skipped: 1, reasons: BTreeSet::from([reason.into()]), ..Self::default() }
    }

    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.reasons.extend(other.reasons);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Runs a command of test binaries, shows what failed and why, and counts.
///
/// The command must pass `--show-output` to them. When it fails without a failed test, as where
/// something does not compile, that is one failure.
pub fn of(command: &mut Command) -> Result<Counts> {
    let name = process::display(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    let mut reader = Reader::default();
    let stdout = child.stdout.take().context("no standard output")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        if reader.read(line.trim_end()) {
            println!("{line}");
        }
    }
    let status = child.wait()?;
    let mut counts = reader.counts;
    if !status.success() && counts.failed == 0 {
        println!("`{name}` failed: {status}");
        counts.failed += 1;
    }
    Ok(counts)
}

#[derive(Debug, Default)]
struct Reader {
    counts: Counts,
    in_successes: bool,
    in_failures: bool,
    /// Tests of this binary that passed by skipping.
    skipped_here: u64,
}

impl Reader {
    /// Takes one line; true when it is worth showing.
    fn read(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            (self.in_successes, self.in_failures) = (false, false);
            let skipped = std::mem::take(&mut self.skipped_here);
            self.counts.passed += number_before(result, " passed").saturating_sub(skipped);
            self.counts.failed += number_before(result, " failed");
            self.counts.skipped += number_before(result, " ignored");
            return number_before(result, " passed") + number_before(result, " failed") > 0;
        }
        if let Some(test) = line.strip_prefix("test ") {
            if let Some((_, reason)) = test.split_once(" ... ignored, ") {
                self.counts.reasons.insert(reason.to_owned());
            }
            return test.ends_with("FAILED") || test.ends_with("FAIL");
        }
        match line {
            "successes:" => (self.in_successes, self.in_failures) = (true, false),
            "failures:" => (self.in_successes, self.in_failures) = (false, true),
            _ => {}
        }
        if self.in_successes {
            if let Some(reason) = line.strip_prefix("skipped: ") {
                self.skipped_here += 1;
                self.counts.skipped += 1;
                self.counts.reasons.insert(reason.to_owned());
            }
            return false;
        }
        // A binary that makes its own tests says so before it has any.
        if let Some(reason) = line.strip_prefix("skipped: ").filter(|_| !self.in_failures) {
            self.counts.skipped += 1;
            self.counts.reasons.insert(reason.to_owned());
        }
        !(line.is_empty() || line.starts_with("running ") || line.starts_with("no tests to run"))
    }
}

fn number_before(text: &str, label: &str) -> u64 {
    text.split_once(label)
        .and_then(|(before, _)| before.rsplit([' ', '.']).next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_summed_and_skips_taken_off() {
        let output = "\nrunning 4 tests\ntest a ... ok\ntest b ... FAILED\ntest c ... ok\n\
            test d ... ignored, needs a TPM\n\nsuccesses:\n\n---- c stdout ----\nskipped: no data\n\n\
            successes:\n    a\n    c\n\nfailures:\n\n---- b stdout ----\nskipped: not counted here\n\n\
            failures:\n    b\n\n\
            test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out";
        let mut reader = Reader::default();
        let shown: Vec<&str> = output.lines().filter(|line| reader.read(line)).collect();
        let counts = reader.counts;
        assert_eq!((counts.passed, counts.failed, counts.skipped), (1, 1, 2));
        assert_eq!(counts.reasons.len(), 2);
        assert!(shown.contains(&"test b ... FAILED") && !shown.contains(&"test a ... ok"));
        assert!(shown.contains(&"skipped: not counted here"));
    }

    #[test]
    fn a_command_that_does_not_compile_is_a_failure() {
        let counts = of(&mut Command::new("false")).unwrap();
        assert_eq!(counts, Counts::failure());
    }
}
