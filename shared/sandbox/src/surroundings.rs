//! Landlock for code that needs the system as it is, but must not reach what belongs to the service beside which it runs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use crate::landlocked::KNOWN;
use crate::raw;

/// The first version of the interface with which files can be moved from folder to folder.
const FIRST: i32 = ABI::V2 as i32;

/// Returns the version of the kernel's Landlock, as far as it is known here; `None` if it has none that leaves programs working.
#[must_use]
pub fn landlock_version() -> Option<i32> {
    let version = raw::landlock_version()?.min(KNOWN as i32);
    Some(version).filter(|version| *version >= FIRST)
}

/// What belongs to a service, by absolute paths. Links among them are followed anew for each process, since a certificate's key, say, may be
/// switched by one. Of several that lie in each other, the innermost decides, and everything that
/// is in none stays as it is. Only, nothing can be made in a folder above one of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Surroundings {
    /// Folders of which nothing can be reached. The folders above them cannot be listed either.
    pub hidden: Vec<PathBuf>,
    /// Files that cannot be opened.
    pub closed: Vec<PathBuf>,
    /// Files and folders that cannot be changed.
    pub read_only: Vec<PathBuf>,
    /// Files and folders that can be changed.
    pub writable: Vec<PathBuf>,
}

impl Surroundings {
    /// Makes the rules of a process that may change `own` as well. They also keep signals, and connections to abstract sockets, from
    /// processes that they do not bind, where the kernel can.
    ///
    /// # Errors
    /// The kernel has no Landlock, or refuses the rules.
    pub fn rules(&self, own: &Path) -> io::Result<OwnedFd> {
        let rules = Places(self.resolved().places(own)).rules().map_err(io::Error::other)?;
        Option::from(rules).ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Returns the same with the links in its paths resolved.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let resolved = |paths: &[PathBuf]| paths.iter().map(|path| real(path)).collect();
        Self {
            hidden: resolved(&self.hidden),
            closed: resolved(&self.closed),
            read_only: resolved(&self.read_only),
            writable: resolved(&self.writable),
        }
    }

    fn places<'a>(&'a self, own: &'a Path) -> BTreeMap<&'a Path, Rights> {
        let all = AccessFs::from_all(KNOWN);
        let sorts = [
            // a file has no list: those of the folders above it remain
            (&self.closed, AccessFs::ReadDir.into()),
            (&self.read_only, AccessFs::from_read(KNOWN) | AccessFs::ResolveUnix),
            (&self.hidden, BitFlags::EMPTY),
            (&self.writable, all),
        ];
        let marked = sorts
            .into_iter()
            .flat_map(|(paths, rights)| paths.iter().map(move |path| (path.as_path(), rights)));
        [(Path::new("/"), all)]
            .into_iter()
            .chain(marked)
            .chain([(own, all)])
            .collect()
    }
}

/// Returns a path with its links resolved, also if it is not there yet.
fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        (real, ..) => real.unwrap_or_else(|_| path.to_owned()),
    }
}

type Rights = BitFlags<AccessFs>;

/// The places where rights change.
struct Places<'a>(BTreeMap<&'a Path, Rights>);

impl Places<'_> {
    fn rules(&self) -> Result<RulesetCreated, RulesetError> {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?;
        for (place, rights) in &self.0 {
            rules = self.grant(rules, place, *rights)?;
        }
        Ok(rules)
    }

    /// Grants rights to everything below a path, but for the places there, which have their own. A rule holds for all that is below
    /// its path, so a folder with a place gets what it has in common with that.
    fn grant(&self, rules: RulesetCreated, path: &Path, rights: Rights) -> Result<RulesetCreated, RulesetError> {
        let below = self.0.range(path..).take_while(|(place, _)| place.starts_with(path));
        let common = below
            .filter(|(place, _)| **place != path)
            .fold(rights, |common, (_, other)| common & *other);
        let mut rules = add(rules, path, common)?;
        if common == rights {
            return Ok(rules);
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let child = entry.path();
            // what a link leads to is granted where it is
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if !is_link && !self.0.contains_key(child.as_path()) {
                rules = self.grant(rules, &child, rights)?;
            }
        }
        Ok(rules)
    }
}

/// Adds a rule. What is not there, or not any more, gets none.
fn add(rules: RulesetCreated, path: &Path, rights: Rights) -> Result<RulesetCreated, RulesetError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(file) = openat(CWD, path, flags, Mode::empty()) else {
        return Ok(rules);
    };
    let is_folder = fstat(&file).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_dir());
    let rights = if is_folder {
        rights
    } else {
        rights & AccessFs::from_file(KNOWN)
    };
    if rights.is_empty() {
        return Ok(rules);
    }
    rules.add_rule(PathBeneath::new(file, rights))
}
