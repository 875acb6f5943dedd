//! [`ArchiveCache`] in a folder: one file per key; when the folder grows too large, the least recently used files are removed.

use std::fs::{self, DirBuilder, File, FileTimes, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::run::{Archive, ArchiveCache};
use uuid::Uuid;

use crate::blocking::{blocking, or_absent};

/// The folder for staged files; no key begins with a dot.
const STAGING: &str = ".staging";
/// A staged file older than this was left by a process that died.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Keeps archives below one folder, which only the owner can read.
#[derive(Clone, Debug)]
pub struct FolderArchiveCache {
    root: PathBuf,
    max_bytes: u64,
}

/// A file of the cache.
struct Kept {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl FolderArchiveCache {
    /// Uses a folder and lets it grow to about `max_bytes`; the folder is made when the first archive is put.
    #[must_use]
    pub fn new(root: PathBuf, max_bytes: u64) -> Self {
        Self { root, max_bytes }
    }

    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        let good = |part: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
        };
        if key.split('/').all(good) {
            Ok(self.root.join(key))
        } else {
            Err(StoreError::Rejected(format!("{key:?} is no key of an archive").into()))
        }
    }

    fn store(&self, path: &Path, file: &Path) -> std::io::Result<()> {
        if fs::metadata(file)?.len() > self.max_bytes {
            return Ok(());
        }
        let staging = self.root.join(STAGING);
        make_folder(&staging)?;
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        let staged = staging.join(Uuid::new_v4().to_string());
        let placed = stage(file, &staged).and_then(|()| fs::rename(&staged, path));
        if placed.is_err() {
            drop(fs::remove_file(&staged));
        }
        placed.and_then(|()| self.shrink(path))
    }

    /// Removes the least recently used archives, but never the one that was just put.
    fn shrink(&self, newest: &Path) -> std::io::Result<()> {
        let staging = self.root.join(STAGING);
        let mut all = Vec::new();
        collect(&self.root, &mut all)?;
        let (staged, mut kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|file| file.path.starts_with(&staging));
        for file in staged.iter().filter(|file| is_stale(file.used)) {
            or_absent(fs::remove_file(&file.path), ())?;
        }
        kept.sort_by_key(|file| file.used);
        let mut total: u64 = kept.iter().map(|file| file.bytes).sum();
        for file in kept.iter().filter(|file| file.path != newest) {
            if total <= self.max_bytes {
                break;
            }
            or_absent(fs::remove_file(&file.path), ())?;
            total = total.saturating_sub(file.bytes);
        }
        Ok(())
    }
}

#[async_trait]
impl ArchiveCache for FolderArchiveCache {
    async fn get(&self, key: &str, _folder: &Path) -> Result<Option<Archive>, StoreError> {
        let path = self.path(key)?;
        blocking(move || or_absent(look(path).map(Some), None)).await
    }

    async fn put(&self, key: &str, file: &Path) -> Result<(), StoreError> {
        let (cache, path, file) = (self.clone(), self.path(key)?, file.to_owned());
        blocking(move || cache.store(&path, &file)).await
    }
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn stage(file: &Path, staged: &Path) -> std::io::Result<()> {
    fs::copy(file, staged)?;
    fs::set_permissions(staged, Permissions::from_mode(0o600))?;
    let now = FileTimes::new()
        .set_modified(SystemTime::now())
        .set_accessed(SystemTime::now());
    let file = File::options().write(true).open(staged)?;
    file.set_times(now)?;
    // otherwise a machine that loses its power may keep the name and not the content
    file.sync_all()
}

/// Finds an archive and sets its time of access, which records when it was last used, even if the file system does not
/// update it on reads.
fn look(path: PathBuf) -> std::io::Result<Archive> {
    let file = File::open(&path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    drop(file.set_times(FileTimes::new().set_accessed(SystemTime::now())));
    let made_at = timestamp(metadata.modified()?);
    Ok(Archive { path, made_at })
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(0) + since
}

fn is_stale(used: SystemTime) -> bool {
    used.elapsed().is_ok_and(|age| age > STALE)
}

/// Collects the files below a folder. Files that disappear meanwhile are skipped: several processes may remove the same ones.
fn collect(folder: &Path, kept: &mut Vec<Kept>) -> std::io::Result<()> {
    let Some(entries) = or_absent(fs::read_dir(folder).map(Some), None)? else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let Some(metadata) = or_absent(entry.metadata().map(Some), None)? else {
            continue;
        };
        if metadata.is_dir() {
            collect(&entry.path(), kept)?;
        } else {
            kept.push(Kept {
                path: entry.path(),
                bytes: metadata.len(),
                used: metadata.accessed()?,
            });
        }
    }
    Ok(())
}
