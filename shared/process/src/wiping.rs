//! Removes a folder with everything in it, however deep it is: without recursion or growing paths, and with at most
//! three folders open at a time. It pauses in between to leave the processor and the disk to others.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, fchmod, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use uuid::Uuid;

/// How many entries are handled between two pauses.
const STRETCH: u32 = 256;
const PAUSE: Duration = Duration::from_millis(1);

/// Removes a folder, even if its owner has removed his own permission to do so; the folder may already be gone. It
/// blocks, and ends early, with an error, once `goes_on` returns false.
pub(crate) fn wipe(path: &Path, goes_on: &dyn Fn() -> bool) -> io::Result<()> {
    let root = match open(CWD, path) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut wipe = Wipe {
        root,
        entries: 0,
        moved: 0,
        prefix: Uuid::new_v4().simple().to_string(),
        goes_on,
    };
    while wipe.pass()? {}
    absent(unlinkat(CWD, path, AtFlags::REMOVEDIR))?;
    Ok(())
}

struct Wipe<'a> {
    root: OwnedFd,
    entries: u32,
    moved: u64,
    prefix: String,
    goes_on: &'a dyn Fn() -> bool,
}

impl Wipe<'_> {
    /// Goes once over the entries of the root; returns whether there may be more. An entry that cannot be removed does
    /// not block the rest, and is an error once nothing else is left.
    fn pass(&mut self) -> io::Result<bool> {
        let (mut found, mut wrong) = (0_u64, None);
        let mut gone = 0_u64;
        for entry in Dir::read_from(&self.root)? {
            let entry = entry?;
            if is_itself(entry.file_name()) {
                continue;
            }
            found += 1;
            self.give_way()?;
            match self.remove(entry.file_name(), entry.file_type()) {
                Ok(()) => gone += 1,
                Err(error) => wrong = Some(error),
            }
        }
        match wrong {
            Some(error) if gone == 0 => Err(error),
            _ => Ok(found > 0),
        }
    }

    /// Removes an entry of the root. Folders in a folder are moved up to the root, where a later pass finds them.
    fn remove(&mut self, name: &CStr, kind: FileType) -> io::Result<()> {
        if !is_folder(&self.root, name, kind) {
            return Ok(absent(unlinkat(&self.root, name, AtFlags::empty()))?);
        }
        let folder = match open(&self.root, name) {
            Err(Errno::NOENT) => return Ok(()),
            other => other?,
        };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            if is_itself(entry.file_name()) {
                continue;
            }
            self.give_way()?;
            if is_folder(&folder, entry.file_name(), entry.file_type()) {
                self.move_up(&folder, entry.file_name())?;
            } else {
                absent(unlinkat(&folder, entry.file_name(), AtFlags::empty()))?;
            }
        }
        Ok(absent(unlinkat(&self.root, name, AtFlags::REMOVEDIR))?)
    }

    fn move_up(&mut self, folder: &OwnedFd, name: &CStr) -> io::Result<()> {
        self.moved += 1;
        let new = format!("{}-{}", self.prefix, self.moved);
        match renameat(folder, name, &self.root, &new) {
            // moving a folder writes to it
            Err(Errno::ACCESS) => {
                chmodat(folder, name, Mode::RWXU, AtFlags::empty())?;
                Ok(absent(renameat(folder, name, &self.root, &new))?)
            }
            other => Ok(absent(other)?),
        }
    }

    fn give_way(&mut self) -> io::Result<()> {
        self.entries += 1;
        if self.entries.is_multiple_of(STRETCH) {
            if !(self.goes_on)() {
                return Err(io::Error::other("it takes too long and goes on later"));
            }
            sleep(PAUSE);
        }
        Ok(())
    }
}

/// Opens a folder, and gives us the permission to read and change it.
fn open(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match openat(&parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            chmodat(&parent, name, Mode::RWXU, AtFlags::empty())?;
            openat(&parent, name, flags, Mode::empty())
        }
        other => other,
    }?;
    if !Mode::from_raw_mode(fstat(&folder)?.st_mode).contains(Mode::RWXU) {
        fchmod(&folder, Mode::RWXU)?;
    }
    Ok(folder)
}

fn is_folder(parent: &OwnedFd, name: &CStr, kind: FileType) -> bool {
    match kind {
        FileType::Unknown => statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory),
        kind => kind == FileType::Directory,
    }
}

/// Returns whether an entry is the folder itself, or the one above.
pub(crate) fn is_itself(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// Treats an entry that somebody else has removed meanwhile as removed.
fn absent(done: Result<(), Errno>) -> Result<(), Errno> {
    match done {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::mkdirat;

    use super::*;

    fn deep(root: &Path, depth: u32) -> io::Result<()> {
        let mut folder = openat(CWD, root, OFlags::DIRECTORY, Mode::empty())?;
        for _ in 0..depth {
            mkdirat(&folder, "d", Mode::RWXU)?;
            folder = openat(&folder, "d", OFlags::DIRECTORY, Mode::empty())?;
        }
        Ok(())
    }

    #[test]
    fn a_tree_goes_however_deep_wide_or_closed_it_is_and_nothing_that_its_links_lead_to() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (tree, outside) = (folder.path().join("tree"), folder.path().join("outside"));
        for path in [&tree, &tree.join("wide"), &tree.join("closed/inner/most"), &outside] {
            fs::create_dir_all(path)?;
        }
        deep(&tree, 15_000)?;
        deep(&tree.join("wide"), 1_500)?;
        for number in 0..3_000 {
            fs::write(tree.join(format!("wide/{number}")), "")?;
            fs::create_dir(tree.join(format!("wide/d{number}")))?;
        }
        fs::write(outside.join("kept"), "")?;
        for link in ["link", "wide/link", "closed/inner/link"] {
            symlink(&outside, tree.join(link))?;
        }
        for path in ["closed/inner/most", "closed/inner", "closed"] {
            fs::set_permissions(tree.join(path), Permissions::from_mode(0o000))?;
        }
        wipe(&tree, &|| true)?;
        assert!(!tree.exists() && outside.join("kept").exists());
        wipe(&tree, &|| true)
    }

    #[test]
    fn a_wipe_that_is_told_to_stop_leaves_the_rest_to_the_next() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let tree = folder.path().join("tree");
        fs::create_dir(&tree)?;
        for number in 0..1_000 {
            fs::write(tree.join(number.to_string()), "")?;
        }
        assert!(wipe(&tree, &|| false).is_err());
        let left = fs::read_dir(&tree)?.count();
        assert!((1..1_000).contains(&left), "{left}");
        wipe(&tree, &|| true)?;
        assert!(!tree.exists());
        Ok(())
    }
}
