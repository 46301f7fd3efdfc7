//! The file that `portcullis sync` keeps: what it holds now, whoever wrote it.

use crate::http::LARGEST;
use portcullis_bundle::{Bundle, Trust};
use portcullis_ecds::files::{Readers, replace};
use portcullis_ecds::{Configuration, Filter};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// The module's path and the filter's name where neither an option nor the file says them.
const WASM: &str = "/etc/portcullis/portcullis_filter.wasm";
const FILTER: &str = "portcullis";
/// What a file for Envoy holds besides the bundle, at most.
const AROUND: usize = 64 << 10;

/// Which bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) epoch: u64,
    pub(super) content_hash: String,
}

impl Held {
    pub(super) fn of(bundle: &Bundle) -> Held {
        Held { epoch: bundle.header().epoch.get(), content_hash: bundle.content_hash() }
    }
}

/// The filter in a file for Envoy, as options say it.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) wasm: Option<String>,
    pub(super) filter: Option<String>,
}

/// What a file is known again by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(known: &Metadata) -> Stamp {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(known);
        #[cfg(not(unix))]
        let inode = 0;
        Stamp { modified: known.modified().ok(), length: known.len(), inode }
    }
}

/// The file.
pub(super) struct Kept {
    path: PathBuf,
    given: Given,
    /// Of the file as it was read or written last.
    stamp: Option<Stamp>,
    held: Option<Held>,
    /// The filter in the last file that had one.
    filter: Option<Filter>,
    /// Held while the file is written.
    writing: Arc<Mutex<()>>,
}

impl Kept {
    pub(super) fn new(path: &Path, given: Given, writing: Arc<Mutex<()>>) -> Kept {
        let path = path.to_owned();
        Kept { path, given, stamp: None, held: None, filter: None, writing }
    }

    /// What the file held when it was looked at last. No trust is asked for: nothing lower replaces it, also where its key
    /// is not trusted any more.
    pub(super) fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Looks whether somebody else has changed the file, and reads it again where they have.
    pub(super) fn look(&mut self) -> bool {
        let known = fs::metadata(&self.path).ok().filter(Metadata::is_file);
        let stamp = known.as_ref().map(Stamp::of);
        if stamp == self.stamp {
            return false;
        }
        self.stamp = stamp;
        let bytes = known.and_then(|_| read(&self.path).ok()).unwrap_or_default();
        let any = Trust { keys: Vec::new(), allow_unsigned: true };
        let bundle = within(&bytes).and_then(|bytes| Bundle::open(bytes, &any).ok());
        self.held = bundle.as_ref().map(Held::of);
        if let Some(there) = portcullis_ecds::read(&bytes).filter(|_| self.is_for_envoy()) {
            let there = Filter { name: there.filter, wasm: there.wasm };
            let ours = self.given.over(&there);
            if ours != there {
                eprintln!(
                    "warning: `{}` has the filter `{}` with the module `{}`: it gets `{}` with `{}`, as the options say",
                    self.path.display(),
                    there.name,
                    there.wasm,
                    ours.name,
                    ours.wasm
                );
            }
            self.filter = Some(there);
        }
        true
    }

    /// Replaces the file, unless it holds just that. Gives whether it did.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(&mut self, bundle: &Bundle) -> io::Result<bool> {
        let bytes = if self.is_for_envoy() {
            let filter = self.filter();
            let resource =
                portcullis_ecds::resource(&filter, Configuration::Bundle(bundle.as_bytes()));
            portcullis_ecds::file(&bundle.content_hash(), resource)
        } else {
            bundle.as_bytes().to_vec()
        };
        if read(&self.path).is_ok_and(|there| there == bytes) {
            return Ok(false);
        }
        let _whole = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = self.path.parent().unwrap_or(Path::new(""));
        let known = replace(&self.path, beside, &bytes, Readers::All)?;
        (self.stamp, self.held) = (Some(Stamp::of(&known)), Some(Held::of(bundle)));
        Ok(true)
    }

    fn is_for_envoy(&self) -> bool {
        self.path.extension().is_some_and(|it| it == "pb")
    }

    /// As the options say, else as the file that is replaced.
    fn filter(&self) -> Filter {
        let usual = Filter { name: FILTER.to_owned(), wasm: WASM.to_owned() };
        self.given.over(self.filter.as_ref().unwrap_or(&usual))
    }
}

impl Given {
    fn over(&self, other: &Filter) -> Filter {
        Filter {
            name: self.filter.as_ref().unwrap_or(&other.name).clone(),
            wasm: self.wasm.as_ref().unwrap_or(&other.wasm).clone(),
        }
    }
}

/// As much as may be of a bundle, and no more.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take((LARGEST + AROUND) as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bundle in a file that this command wrote: the file itself, or within a resource.
fn within(bytes: &[u8]) -> Option<Vec<u8>> {
    const MAGIC: &[u8] = b"PORTCLIS";
    let start = bytes.windows(MAGIC.len()).position(|it| it == MAGIC)?;
    // `total_len` of the header (FORMAT.md): what follows is not of the bundle.
    let length = bytes.get(start + 16..start + 20)?.first_chunk().copied()?;
    let end = start.checked_add(u32::from_le_bytes(length) as usize)?;
    bytes.get(start..end).map(<[u8]>::to_vec)
}
