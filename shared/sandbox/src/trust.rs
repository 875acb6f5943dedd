//! Whether a file can have been put or changed at its path by somebody else.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// A path may lead over this many links, as for the kernel.
const MAX_LINKS: usize = 40;
const STICKY: u32 = 0o1000;

/// Returns what is at a path, if everything on the way to it belongs to root or to this user, and nobody else may change the file.
///
/// Whoever may write in a folder on the way could bring a file, a link or another name of a file of their own: these would belong to
/// them. A folder that everybody may write to must keep them from moving what belongs to others.
pub(crate) fn check(path: &Path) -> Result<Metadata, String> {
    let own = rustix::process::geteuid().as_raw();
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    let mut ahead = names(path);
    let mut found = look(&at, own)?;
    while let Some(name) = ahead.pop_front() {
        let next = at.join(&name);
        found = look(&next, own)?;
        if !found.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(format!("{} leads over too many links", path.display()));
        }
        let target = fs::read_link(&next).map_err(|error| format!("{}: {error}", next.display()))?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    if found.is_file() && found.mode() & 0o022 != 0 {
        return Err(format!("others than its owner may change {}", at.display()));
    }
    Ok(found)
}

fn look(path: &Path, own: u32) -> Result<Metadata, String> {
    let found = fs::symlink_metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    if found.uid() != 0 && found.uid() != own {
        let owner = found.uid();
        return Err(format!(
            "{} belongs to user {owner}, and must belong to root or to the service's user",
            path.display()
        ));
    }
    if found.is_dir() && found.mode() & 0o002 != 0 && found.mode() & STICKY == 0 {
        return Err(format!("everybody may change what is in {}", path.display()));
    }
    Ok(found)
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect()
}
