//! What a monitor sees of `portcullis sync`: a file in Prometheus' text format, for node_exporter's textfile collector.
//! CONTROL.md has the table; a test compares.

use super::ClientError;
use portcullis_bundle::{ActivationError, OpenError};
use portcullis_ecds::files::{Readers, replace};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What kept the file from being replaced: a bundle was refused, or there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// What was fetched is not taken.
    Refused(&'static str),
    /// Nothing was fetched, or nothing written.
    Failed(&'static str),
}

/// As the filter calls them; `content` is another bundle of an epoch that is here already.
const REFUSED: [&str; 8] = [
    "bundle-corrupt",
    "bundle-format",
    "bundle-untrusted",
    "audience",
    "not-yet-valid",
    "expired",
    "epoch-lower",
    "content",
];
/// No answer; no bundle for this gateway; any other status; the file could not be written.
const FAILED: [&str; 4] = ["unreachable", "missing", "status", "file"];

impl From<&OpenError> for Fault {
    fn from(error: &OpenError) -> Fault {
        Fault::Refused(match error {
            OpenError::Unsigned
            | OpenError::UnknownKey { .. }
            | OpenError::BadKey { .. }
            | OpenError::Signature { .. } => "bundle-untrusted",
            OpenError::Format { .. } | OpenError::Section { .. } => "bundle-format",
            _ => "bundle-corrupt",
        })
    }
}

impl From<&ActivationError> for Fault {
    fn from(error: &ActivationError) -> Fault {
        Fault::Refused(match error {
            ActivationError::Audience { .. } => "audience",
            ActivationError::NotYet { .. } => "not-yet-valid",
            ActivationError::Expired { .. } => "expired",
            ActivationError::Epoch { .. } => "epoch-lower",
        })
    }
}

/// The file, and what is counted since the command began.
pub(super) struct Monitor {
    path: PathBuf,
    /// The file that the command keeps, as a label's value.
    kept: String,
    succeeded: Option<i64>,
    counts: BTreeMap<(bool, &'static str), u64>,
}

impl Monitor {
    pub(super) fn new(path: &Path, kept: &Path) -> Monitor {
        let kept = kept.display().to_string();
        let kept = kept.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        Monitor { path: path.to_owned(), kept, succeeded: None, counts: BTreeMap::new() }
    }

    /// Counts what a question came to. `refusing`: what is published is refused still, though it was not sent again.
    pub(super) fn count(&mut self, fault: Option<Fault>, refusing: bool, now: i64) {
        match fault {
            Some(Fault::Refused(why)) => *self.counts.entry((true, why)).or_default() += 1,
            Some(Fault::Failed(why)) => *self.counts.entry((false, why)).or_default() += 1,
            None if !refusing => self.succeeded = Some(now),
            None => {}
        }
    }

    /// Replaces the file at once: whoever reads it sees all of one page.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(
        &self,
        epoch: Option<u64>,
        refusing: bool,
        now: i64,
    ) -> Result<(), ClientError> {
        let page = self.page(epoch, refusing, now);
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let written = replace(&self.path, beside, page.as_bytes(), Readers::All);
        let failed = |source| ClientError::File { path: self.path.clone(), source };
        written.map(drop).map_err(failed)
    }

    fn page(&self, epoch: Option<u64>, refusing: bool, now: i64) -> String {
        let mut page = String::new();
        let one = |page: &mut String, name: &str, value: Option<i128>| {
            let _ = writeln!(page, "# TYPE portcullis_sync_{name} gauge");
            if let Some(value) = value {
                let _ =
                    writeln!(page, "portcullis_sync_{name}{{output=\"{}\"}} {value}", self.kept);
            }
        };
        one(&mut page, "epoch", epoch.map(i128::from));
        one(&mut page, "refusing", Some(i128::from(refusing)));
        // Also where there was none: an alert on its age would not see a command that began while its service was away.
        let succeeded = self.succeeded.unwrap_or(0);
        one(&mut page, "last_success_timestamp_seconds", Some(succeeded.into()));
        one(&mut page, "last_question_timestamp_seconds", Some(i128::from(now)));
        let kinds = [("refused_total", true, &REFUSED[..]), ("failed_total", false, &FAILED[..])];
        for (name, refused, reasons) in kinds {
            let _ = writeln!(page, "# TYPE portcullis_sync_{name} counter");
            for reason in reasons {
                let count = self.counts.get(&(refused, *reason)).copied().unwrap_or(0);
                let kept = &self.kept;
                let _ = writeln!(
                    page,
                    "portcullis_sync_{name}{{output=\"{kept}\",reason=\"{reason}\"}} {count}"
                );
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_is_kept_and_what_was_refused() {
        let mut monitor = Monitor::new(Path::new("m.prom"), Path::new("a\"b\\c.pb"));
        monitor.count(None, false, 100);
        monitor.count(Some(Fault::from(&OpenError::Unsigned)), true, 110);
        // Not sent again, and still refused: that is no success.
        monitor.count(None, true, 120);
        monitor.count(Some(Fault::Failed("unreachable")), true, 130);
        let page = monitor.page(Some(7), true, 130);
        for line in [
            "epoch{output=\"a\\\"b\\\\c.pb\"} 7",
            "refusing{output=\"a\\\"b\\\\c.pb\"} 1",
            "last_success_timestamp_seconds{output=\"a\\\"b\\\\c.pb\"} 100",
            "last_question_timestamp_seconds{output=\"a\\\"b\\\\c.pb\"} 130",
            "refused_total{output=\"a\\\"b\\\\c.pb\",reason=\"bundle-untrusted\"} 1",
            "refused_total{output=\"a\\\"b\\\\c.pb\",reason=\"expired\"} 0",
            "failed_total{output=\"a\\\"b\\\\c.pb\",reason=\"unreachable\"} 1",
        ] {
            assert!(page.contains(&format!("portcullis_sync_{line}\n")), "{line}: {page}");
        }
        // No file yet, and no success, which is told: an alert must see it.
        let none = Monitor::new(Path::new("m.prom"), Path::new("x")).page(None, false, 1);
        assert!(!none.contains("epoch{"), "{none}");
        let never = "portcullis_sync_last_success_timestamp_seconds{output=\"x\"} 0\n";
        assert!(none.contains(never), "{none}");
    }
}
