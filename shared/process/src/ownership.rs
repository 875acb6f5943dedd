//! Passes a folder with everything in it from one user to another, also while the one or the other changes it. Nothing that a link in it leads to
//! changes hands.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat};
use rustix::io::Errno;

use crate::wiping::is_itself;

/// How deep folders may be in each other: each is open while those in it are passed.
const MAX_DEPTH: u32 = 512;

/// Passes a folder to a user and a group. It blocks.
///
/// # Errors
/// Something cannot be passed. What has another name, perhaps elsewhere, never is.
pub(crate) fn pass(folder: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let to = (Uid::from_raw(uid), Gid::from_raw(gid));
    pass_all(&look_at(CWD, folder)?, to, MAX_DEPTH)
}

/// The folder is the user's own before what is in it: from then on, nobody else puts anything into it.
fn pass_all(folder: &OwnedFd, to: (Uid, Gid), depth: u32) -> io::Result<()> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| io::Error::other("folders are too deep in each other"))?;
    pass_one(folder, to)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for entry in Dir::new(openat(folder, c".", flags, Mode::empty())?)? {
        let entry = entry?;
        if is_itself(entry.file_name()) {
            continue;
        }
        let found = match look_at(folder, entry.file_name()) {
            // removed meanwhile
            Err(Errno::NOENT) => continue,
            found => found?,
        };
        let about = fstat(&found)?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::Directory => pass_all(&found, to, depth)?,
            _ if about.st_nlink > 1 => {
                let name = entry.file_name().to_string_lossy();
                return Err(io::Error::other(format!("the file {name} has several names")));
            }
            _ => pass_one(&found, to)?,
        }
    }
    Ok(())
}

fn pass_one(entry: &OwnedFd, (uid, gid): (Uid, Gid)) -> rustix::io::Result<()> {
    chownat(entry, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
}

/// Opens a file or folder, or a link itself, for nothing but to look at it.
fn look_at(parent: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    openat(
        parent,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_tree_changes_hands_and_nothing_that_its_links_lead_to() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let [tree, outside] = ["tree", "outside"].map(|name| folder.path().join(name));
        fs::create_dir_all(tree.join("deep/deeper"))?;
        fs::create_dir_all(outside.join("folder"))?;
        fs::write(tree.join("deep/deeper/file"), "")?;
        fs::write(outside.join("file"), "")?;
        symlink(&outside, tree.join("deep/link"))?;
        // only root may give anything to somebody else
        let (own, is_root) = (fs::metadata(&outside)?, rustix::process::geteuid().is_root());
        let other = if is_root { 61_337 } else { own.uid() };
        pass(&tree, other, own.gid())?;
        for path in ["", "deep", "deep/link", "deep/deeper", "deep/deeper/file"] {
            assert_eq!(fs::symlink_metadata(tree.join(path))?.uid(), other, "{path}");
        }

        fs::hard_link(outside.join("file"), tree.join("deep/hard"))?;
        let refused = pass(&tree, other, own.gid()).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some("the file hard has several names"));
        for path in ["", "folder", "file"] {
            assert_eq!(fs::metadata(outside.join(path))?.uid(), own.uid());
        }
        fs::remove_file(tree.join("deep/hard"))?;
        pass(&tree, own.uid(), own.gid())
    }
}
