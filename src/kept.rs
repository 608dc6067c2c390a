//! Files for their owner alone (SEC-1), and names for them that say nothing.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// What helps where nothing can be kept in the usual place.
pub const ELSEWHERE: &str = "set COMPOSIO_BRIDGE_STATE_DIR to a directory that you may write to";

/// A name that gives `text` away to nobody who cannot guess it.
pub fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a directory where it is missing.
///
/// # Errors
/// The system's.
pub fn directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a file at once; its directory is made where it is missing. What a crash of the system may
/// take is what can be had again.
///
/// # Errors
/// The system's.
pub fn write(file: &Path, text: &str) -> io::Result<()> {
    replace(file, text, false)
}

/// The same for what cannot be had again: it is on the disk when this returns.
///
/// # Errors
/// The system's.
pub fn write_for_good(file: &Path, text: &str) -> io::Result<()> {
    replace(file, text, true)
}

fn replace(file: &Path, text: &str, for_good: bool) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    directory(folder)?;
    // A temporary file is created with mode 0600.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    if for_good {
        temporary.as_file().sync_all()?;
    }
    temporary.persist(file)?;
    Ok(())
}

/// Removes a file; says whether there was one.
///
/// # Errors
/// The system's.
pub fn remove(file: &Path) -> io::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// Waits until no other process has the lock that this file stands for; dropping the file gives it
/// back. Blocks.
///
/// # Errors
/// The system's.
pub fn lock(file: &Path) -> io::Result<File> {
    let file = open(file)?;
    file.lock()?;
    Ok(file)
}

/// Opens a file to read and write it in place; it is made where it is missing.
///
/// # Errors
/// The system's.
pub fn open(file: &Path) -> io::Result<File> {
    directory(file.parent().unwrap_or(Path::new(".")))?;
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// The time, as files say it: seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_kept_is_its_owners_alone() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("a/b/c.json");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        for write in [write, write_for_good] {
            write(&file, "SECRET").expect("written");
            assert_eq!((mode(&file), mode(file.parent().expect("one"))), (0o600, 0o700));
        }
        let held = file.with_extension("lock");
        drop(lock(&held).expect("nobody has it"));
        assert_eq!(mode(&held), 0o600);
        assert_eq!((remove(&file).ok(), remove(&file).ok()), (Some(true), Some(false)));
    }
}
