//! Folders that only this user can use, and their removal.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::wiping::wipe;

/// Makes a folder that only we can use, or checks that an existing one is such a folder.
///
/// # Errors
/// The folder cannot be made, belongs to somebody else, or is open to others.
pub fn make_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other,
    }
    if !is_private(path)? {
        let message = format!(
            "{} belongs to somebody else or is open to others; remove it",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

/// Lets every user pass through a folder, on the way to what is the user's own in it, and see no more of it.
pub(crate) fn let_through(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o711))
}

/// A folder that others may pass through is private as well: they see nothing of what is in it, and what that is decides for itself.
fn is_private(path: &Path) -> io::Result<bool> {
    let found = fs::symlink_metadata(path)?;
    let ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    Ok(ours && found.permissions().mode() & 0o066 == 0)
}

/// Removes everything in a folder except one entry. It blocks.
pub(crate) fn keep_only(folder: &Path, kept: &Path, goes_on: &dyn Fn() -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path() == kept {
            continue;
        }
        if entry.file_type()?.is_dir() {
            wipe(&entry.path(), goes_on)?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Returns the folders in `shared` whose processes are gone; none unless only we can use `shared`.
pub(crate) fn abandoned(shared: &Path) -> Vec<PathBuf> {
    if !is_private(shared).unwrap_or(false) {
        return Vec::new();
    }
    let is_abandoned = |path: &PathBuf| {
        let owner = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    let entries = fs::read_dir(shared).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_abandoned).collect()
}
