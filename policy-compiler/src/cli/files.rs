//! Reading and writing files for the commands.

use data_encoding::HEXLOWER_PERMISSIVE;
use portcullis_bundle::{ActivationError, OpenError};
use portcullis_ecds::files::{Readers, replace};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a command cannot do what it was asked.
#[derive(Debug, Error)]
pub enum CliError {
    /// A file cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The reader refuses a bundle.
    #[error("`{}` is refused: {source}", path.display())]
    Open {
        /// The bundle.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// A bundle is sound, but would not be activated.
    #[error("`{}` would not be activated: {source}", path.display())]
    Activation {
        /// The bundle.
        path: PathBuf,
        /// Why.
        source: ActivationError,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// Writes a file at once or not at all: readers see the old one or the new one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let beside = path.parent().unwrap_or(Path::new(""));
    replace(path, beside, bytes, Readers::Umask).map(drop).map_err(failed)
}

/// Writes a new file that only its owner may read.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

/// Reads a signing key: 64 hexadecimal digits.
pub fn read_key(path: &Path) -> Result<[u8; 32], CliError> {
    let text = String::from_utf8_lossy(&read(path)?).trim().to_owned();
    from_hex(&text).ok_or_else(|| {
        CliError::Other(format!(
            "`{}` is not a signing key: it should hold 64 hexadecimal digits, as `portcullis keygen` writes",
            path.display()
        ))
    })
}

/// Takes hexadecimal digits as so many bytes.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// For arguments that are public keys.
pub fn public_key(text: &str) -> Result<[u8; 32], String> {
    from_hex(text).ok_or_else(|| "not 64 hexadecimal digits".to_owned())
}

/// For arguments that are times: RFC 3339 in UTC. Gives Unix seconds.
pub fn time(text: &str) -> Result<i64, String> {
    let time = humantime::parse_rfc3339(text)
        .map_err(|_| "not a time like `2026-12-31T23:59:59Z` (RFC 3339, in UTC)".to_owned())?;
    let since = time.duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .ok_or_else(|| "before 1970".to_owned())
}

/// Unix seconds as RFC 3339.
pub fn show_time(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(253_402_300_799);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A count of bytes for people.
pub fn show_size(bytes: usize) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_there_and_back() {
        let text = "2026-12-31T23:59:59Z";
        assert_eq!(show_time(time(text).unwrap()), text);
        assert!(time("2026-12-31").is_err());
        assert!(time("1969-12-31T23:59:59Z").is_err());
    }

    #[test]
    fn keys_are_64_digits() {
        assert!(public_key(&"aB".repeat(32)).is_ok());
        assert!(public_key(&"ab".repeat(31)).is_err());
        assert!(public_key(&"xy".repeat(32)).is_err());
    }
}
