//! What programs may read of the system's settings.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use landlock::PathFd;

/// Where the settings are.
const ETC: &str = "/etc";
/// How long what is known of them is taken for true.
const PERIOD: Duration = Duration::from_secs(60);
/// How many of them are held open.
const MOST_OPEN: usize = 512;

/// What programs may read of the settings: held open, since each program is granted each of them, which are hundreds.
#[derive(Default)]
pub(crate) struct Settings {
    known: Option<Instant>,
    /// Files and folders, and whether each is a folder.
    pub(crate) open: Vec<(PathFd, bool)>,
    /// Those that are too many.
    pub(crate) others: Vec<PathBuf>,
}

impl Settings {
    /// Looks for them, unless that was done a moment ago. It takes a few milliseconds.
    pub(crate) fn refresh(&mut self) {
        if self.known.is_some_and(|at| at.elapsed() < PERIOD) {
            return;
        }
        let mut found = readable();
        let others = found.split_off(found.len().min(MOST_OPEN));
        // what is not there any more is not granted
        let open = |path: PathBuf| Some((PathFd::new(&path).ok()?, path.is_dir()));
        *self = Self {
            known: Some(Instant::now()),
            open: found.into_iter().filter_map(open).collect(),
            others,
        };
    }
}

/// Returns what of the settings is no secret. Where this process is root, to whom every file is open, that is what the system lets
/// everybody read; to any other user it gives the files that are this user's.
fn readable() -> Vec<PathBuf> {
    let etc = Path::new(ETC);
    let mut found = Vec::new();
    if !rustix::process::geteuid().is_root() || public(etc, &mut found) {
        return vec![etc.to_owned()];
    }
    found
}

/// Returns whether everybody may read everything in a folder; what of it otherwise is added to `found`.
fn public(folder: &Path, found: &mut Vec<PathBuf>) -> bool {
    let (mut all, before) = (true, found.len());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(entry_is) = entry.metadata() else { continue };
        let path = entry.path();
        if entry_is.is_dir() && may_read(&entry_is, 0o5) {
            if public(&path, found) {
                found.push(path);
            } else {
                all = false;
            }
        } else if entry_is.is_file() && may_read(&entry_is, 0o4) {
            found.push(path);
        } else if !entry_is.is_symlink() {
            all = false;
        }
    }
    if all {
        found.truncate(before);
    }
    all
}

fn may_read(found: &Metadata, everybody: u32) -> bool {
    found.mode() & everybody == everybody
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::io;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_everybody_may_read_is_found_without_secrets_beside_it() -> io::Result<()> {
        let etc = tempfile::tempdir()?;
        let at = |name: &str| etc.path().join(name);
        for folder in ["open/deep", "mixed/deep", "closed"] {
            fs::create_dir_all(at(folder))?;
        }
        for (name, mode) in [
            ("open/deep/a", 0o644),
            ("mixed/key", 0o600),
            ("mixed/deep/b", 0o644),
            ("c", 0o644),
        ] {
            fs::write(at(name), "")?;
            fs::set_permissions(at(name), Permissions::from_mode(mode))?;
        }
        fs::set_permissions(at("closed"), Permissions::from_mode(0o700))?;
        symlink(at("mixed/key"), at("link"))?;
        let mut found = Vec::new();
        assert!(!public(etc.path(), &mut found));
        found.sort();
        assert_eq!(found, ["c", "mixed/deep", "open"].map(at));
        fs::remove_file(at("mixed/key"))?;
        fs::remove_dir(at("closed"))?;
        found.clear();
        assert!(public(etc.path(), &mut found) && found.is_empty());
        Ok(())
    }
}
