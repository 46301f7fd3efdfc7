//! Reading a log that others write, rotate and truncate.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes read at once.
const CHUNK: usize = 64 << 10;
/// A longer line is no line of the filter's.
const LONGEST: usize = 1 << 20;

/// The next bytes of a stream; nothing at its end.
pub fn next(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; CHUNK];
    loop {
        match input.read(&mut bytes) {
            Ok(0) => return Ok(None),
            Ok(count) => {
                bytes.truncate(count);
                return Ok(Some(bytes));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file by its name: what takes its place is read from its beginning.
pub struct Follow {
    path: PathBuf,
    file: File,
    position: u64,
    replaced: bool,
}

impl Follow {
    /// Opens the file, at its beginning or at its end.
    pub fn open(path: &Path, from_start: bool) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let position = if from_start { 0 } else { file.seek(SeekFrom::End(0))? };
        Ok(Self { path: path.to_owned(), file, position, replaced: false })
    }

    /// What was written since; nothing where there is nothing yet.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        self.replaced = false;
        // Truncated in place, as by `copytruncate`.
        if self.file.metadata()?.len() < self.position {
            self.position = self.file.seek(SeekFrom::Start(0))?;
            self.replaced = true;
        }
        let bytes = next(&mut self.file)?.unwrap_or_default();
        self.position += bytes.len() as u64;
        // The old file is read to its end before the new one is taken; between the two there may be none.
        if bytes.is_empty()
            && let Ok(there) = std::fs::metadata(&self.path)
            && !same(&there, &self.file.metadata()?)
        {
            self.file = File::open(&self.path)?;
            self.position = 0;
            self.replaced = true;
        }
        Ok(bytes)
    }

    /// Whether the last read began another file: a line that was half read has no other half.
    pub fn was_replaced(&self) -> bool {
        self.replaced
    }
}

#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

/// Puts lines together from pieces.
#[derive(Default)]
pub struct Lines {
    begun: Vec<u8>,
    /// The line is too long, and is left out up to its end.
    skipping: bool,
}

impl Lines {
    /// The lines that end within the bytes, as text.
    pub fn whole(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if !self.skipping {
                self.begun.extend_from_slice(piece);
            }
            if self.begun.len() > LONGEST {
                self.begun = Vec::new();
                self.skipping = true;
            }
            if ends {
                if !std::mem::take(&mut self.skipping) {
                    lines.push(String::from_utf8_lossy(&self.begun).trim_end().to_owned());
                }
                self.begun.clear();
            }
        }
        lines
    }

    /// What was begun when the input ended.
    pub fn rest(self) -> Option<String> {
        (!self.begun.is_empty()).then(|| String::from_utf8_lossy(&self.begun).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Follow, LONGEST, Lines};
    use std::fs;
    use std::io::Write;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let mut lines = Lines::default();
        assert!(lines.whole(b"on").is_empty());
        assert_eq!(lines.whole(b"e\r\ntwo\nth"), ["one", "two"]);
        assert_eq!(lines.whole(b"r\xff\n"), ["thr\u{fffd}"]);
        assert!(lines.whole(b"four").is_empty());
        assert_eq!(lines.rest().as_deref(), Some("four"));
    }

    #[test]
    fn a_line_without_end_is_left_out() {
        let mut lines = Lines::default();
        for _ in 0..3 {
            assert!(lines.whole(&vec![b'a'; LONGEST]).is_empty());
            assert!(lines.begun.len() <= LONGEST);
        }
        assert_eq!(lines.whole(b"a\nnext\n"), ["next"]);
    }

    fn read(file: &mut Follow) -> String {
        let mut text = Vec::new();
        // Once for the end of the old file, once for the new one.
        for _ in 0..3 {
            text.extend(file.read().unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_file_is_followed_across_rotation_and_truncation() {
        let dir = std::env::temp_dir().join(format!("portcullis-tail-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("envoy.log");
        fs::write(&path, "old\n").unwrap();
        let mut file = Follow::open(&path, false).unwrap();
        assert_eq!(read(&mut file), "");
        let append = |text: &str| {
            fs::OpenOptions::new()
                .append(true)
                .open(&path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        };
        append("one\n");
        assert_eq!(read(&mut file), "one\n");
        // Rotated by renaming, with a last line in the old file and a moment without any.
        append("two\n");
        fs::rename(&path, dir.join("envoy.log.1")).unwrap();
        assert_eq!(read(&mut file), "two\n");
        fs::write(&path, "three\n").unwrap();
        assert_eq!(read(&mut file), "three\n");
        // Truncated in place.
        fs::write(&path, "4\n").unwrap();
        assert_eq!(read(&mut file), "4\n");
        fs::remove_dir_all(dir).unwrap();
    }
}
