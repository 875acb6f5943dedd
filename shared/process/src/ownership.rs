//! Gives a folder with everything in it to another user. Nothing that a link in it leads to changes hands.

use std::fs;
use std::io;
use std::os::unix::fs::lchown;
use std::path::PathBuf;

/// Gives a folder to a user and a group. It blocks. Nobody else may be able to put anything into the folder meanwhile.
///
/// # Errors
/// Something cannot be given.
pub(crate) fn give(folder: PathBuf, uid: u32, gid: u32) -> io::Result<()> {
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => waiting.push(entry.path()),
                false => lchown(entry.path(), Some(uid), Some(gid))?,
            }
        }
        // once it is given, what is in it is the other's
        lchown(folder, Some(uid), Some(gid))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_tree_changes_hands_and_nothing_that_its_links_lead_to() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let [tree, outside] = ["tree", "outside"].map(|name| folder.path().join(name));
        fs::create_dir_all(tree.join("deep/deeper"))?;
        fs::create_dir_all(outside.join("folder"))?;
        fs::write(tree.join("deep/deeper/file"), "")?;
        symlink(&outside, tree.join("deep/link"))?;
        // only root may give anything to somebody else
        let (own, is_root) = (fs::metadata(&outside)?, rustix::process::geteuid().is_root());
        let other = if is_root { 61_337 } else { own.uid() };
        give(tree.clone(), other, own.gid())?;
        for path in ["", "deep", "deep/link", "deep/deeper", "deep/deeper/file"] {
            assert_eq!(fs::symlink_metadata(tree.join(path))?.uid(), other, "{path}");
        }
        for path in [&outside, &outside.join("folder")] {
            assert_eq!(fs::metadata(path)?.uid(), own.uid());
        }
        Ok(())
    }
}
