//! Files that others read while they are replaced: Envoy, gateways that mount them, the next command.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

/// A file beside that was not renamed for so long is of a command that was killed.
const LEFT_AFTER: Duration = Duration::from_secs(3600);
/// What a file and a folder that anybody may read have for a mode.
const READABLE: u32 = 0o644;
const ENTERABLE: u32 = 0o755;

/// Who may read what was not there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whom the umask leaves.
    Umask,
    /// Everybody, whatever the umask: Envoy is another user than whoever writes for it.
    All,
}

/// Replaces a file at once or not at all: readers see the old one or the new one. It is written in the directory `beside`, of
/// the same file system, and renamed. Mode and, where the system lets it, owner stay those of the file that was there.
/// Gives what the system knows of the new one.
///
/// # Errors
/// What the system says; then the old file is there still, and nothing beside it.
pub fn replace(path: &Path, beside: &Path, bytes: &[u8], readers: Readers) -> io::Result<Metadata> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = if beside.as_os_str().is_empty() { Path::new(".") } else { beside };
    let new = beside.join(format!(".{name}.{}.new", std::process::id()));
    clear(beside, &name);
    // What lies there is of a run that was killed, or somebody's link to another file.
    let _ = fs::remove_file(&new);
    let written = File::create_new(&new).and_then(|mut file| {
        file.write_all(bytes)?;
        keep_mode(&file, path, readers)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        file.metadata()
    });
    if written.is_err() {
        // The error that matters is the first.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Makes a directory, and those above it that are not there.
///
/// # Errors
/// What the system says.
pub fn make_folder(path: &Path, readers: Readers) -> io::Result<()> {
    let missing = path.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.is_dir());
    let missing: Vec<&Path> = missing.collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
            made => {
                made?;
                if readers == Readers::All {
                    set_mode(&File::open(folder)?, ENTERABLE)?;
                }
            }
        }
    }
    Ok(())
}

/// Removes what commands that were killed have left of a file.
fn clear(beside: &Path, name: &str) {
    let Ok(entries) = fs::read_dir(beside) else { return };
    let prefix = format!(".{name}.");
    for entry in entries.flatten() {
        let file = entry.file_name();
        let number = file.to_str().and_then(|it| it.strip_prefix(&prefix)?.strip_suffix(".new"));
        let is_ours = number.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        let changed = entry.metadata().and_then(|it| it.modified()).ok();
        let age = changed.and_then(|it| it.elapsed().ok());
        if is_ours && age.is_some_and(|age| age > LEFT_AFTER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(unix)]
fn keep_mode(file: &File, path: &Path, readers: Readers) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Some(old) = fs::metadata(path).ok().filter(Metadata::is_file) else {
        return match readers {
            Readers::Umask => Ok(()),
            Readers::All => set_mode(file, READABLE),
        };
    };
    let own = file.metadata()?;
    let is_kept = (own.uid(), own.gid()) == (old.uid(), old.gid())
        || fchown(file, Some(old.uid()), Some(old.gid())).is_ok();
    // Whoever read it as its owner or its group must read it as anybody else.
    let more = if is_kept || readers == Readers::Umask { 0 } else { 0o444 };
    set_mode(file, (old.mode() & 0o777) | more)
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // A file system may have no modes: what there is then is its own.
    match file.set_permissions(Permissions::from_mode(mode)) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        set => set,
    }
}

#[cfg(not(unix))]
fn keep_mode(_: &File, _: &Path, _: Readers) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::time::SystemTime;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("portcullis-files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_mode_stays_what_it_was() {
        let folder = folder("mode");
        let path = folder.join("portcullis.pb");
        replace(&path, &folder, b"one", Readers::All).unwrap();
        assert_eq!(mode(&path), 0o644);
        for (kept, readers) in [(0o640, Readers::All), (0o604, Readers::Umask)] {
            fs::set_permissions(&path, Permissions::from_mode(kept)).unwrap();
            let known = replace(&path, &folder, b"more", readers).unwrap();
            assert_eq!((mode(&path), known.len()), (kept, 4));
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_was_left_is_cleared_and_links_are_not_followed() {
        let folder = folder("left");
        let (path, elsewhere) = (folder.join("a"), folder.join("elsewhere"));
        fs::write(&elsewhere, "its own").unwrap();
        let own = folder.join(format!(".a.{}.new", std::process::id()));
        std::os::unix::fs::symlink(&elsewhere, &own).unwrap();
        let old = SystemTime::now() - 2 * LEFT_AFTER;
        for name in [".a.0.new", ".a.b.new", ".ab.0.new"] {
            let file = File::create(folder.join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        fs::write(folder.join(".a.1.new"), "under way").unwrap();
        replace(&path, &folder, b"one", Readers::Umask).unwrap();
        let names = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<_> = names.map(|it| it.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".a.1.new", ".a.b.new", ".ab.0.new", "a", "elsewhere"]);
        assert_eq!(fs::read(&elsewhere).unwrap(), b"its own");
        assert!(replace(&folder.join("no/file"), &folder.join("no"), b"", Readers::All).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn folders_are_made_for_all() {
        let folder = folder("folders");
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        let inner = folder.join("gateway/filter");
        make_folder(&inner, Readers::All).unwrap();
        make_folder(&inner, Readers::All).unwrap();
        assert_eq!(mode(&inner), 0o755);
        assert_eq!((mode(&folder.join("gateway")), mode(&folder)), (0o755, 0o700));
        fs::write(folder.join("file"), "").unwrap();
        assert!(make_folder(&folder.join("file/below"), Readers::All).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
