//! The trash for folders to remove: they are moved out of the way at once, and removed as soon as possible by the first
//! process of the user that looks.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use callboard_core::base::causes::causes;
use uuid::Uuid;

use crate::folders::make_private;
use crate::wiping::wipe;

/// How long the end of a job waits for its folder to be removed.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the end of this process waits for the trash to be emptied.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// The folders to remove.
#[derive(Debug)]
pub(crate) struct Trash {
    folder: PathBuf,
    closed: AtomicBool,
    /// Folders that could not be moved out of their place.
    left: Mutex<HashSet<PathBuf>>,
    /// Folders already reported as impossible to remove; the lock is held while the trash is emptied.
    told: Mutex<HashSet<OsString>>,
}

impl Trash {
    /// The folder's name, next to the folders of processes.
    pub(crate) const NAME: &str = "gone";

    /// Makes the folder, or uses the existing one.
    pub(crate) fn open(shared: &Path) -> io::Result<Arc<Self>> {
        let folder = shared.join(Self::NAME);
        make_private(&folder)?;
        Ok(Arc::new(Self {
            folder,
            closed: AtomicBool::new(false),
            left: Mutex::default(),
            told: Mutex::default(),
        }))
    }

    /// Moves a folder out of its place, so that nothing is at its path any more. The folder may already be gone. If it
    /// cannot be moved, that is tried again later.
    pub(crate) fn take(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let new = self.folder.join(Uuid::new_v4().simple().to_string());
        let taken = fs::rename(path, &new).or_else(|error| match error.kind() {
            // moving a folder writes to it and to the folders it moves from and to
            io::ErrorKind::PermissionDenied => {
                for folder in [path.parent().unwrap_or(path), path, &self.folder] {
                    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
                }
                fs::rename(path, &new)
            }
            _ => Err(error),
        });
        match taken {
            Ok(()) => Ok(Some(new)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                self.left().insert(path.to_owned());
                Err(error)
            }
        }
    }

    fn left(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a folder to the trash and removes it; if that takes long, or something resists, the removal continues
    /// without the caller.
    pub(crate) async fn remove(self: &Arc<Self>, path: &Path) -> io::Result<()> {
        let Some(taken) = self.take(path)? else { return Ok(()) };
        let trash = Arc::clone(self);
        let removing = tokio::task::spawn_blocking(move || wipe(&taken, &|| !trash.is_closed()));
        match tokio::time::timeout(PATIENCE, removing).await {
            Ok(removed) => removed.map_err(io::Error::other)?,
            Err(_) => {
                tracing::info!("removing a job's folder takes long; it continues after the job has ended");
                Ok(())
            }
        }
    }

    /// Removes everything in the trash. It blocks; if it is already running elsewhere, it does nothing.
    pub(crate) fn empty(&self) {
        match self.told.try_lock() {
            Ok(told) => self.empty_until(told, &|| !self.is_closed()),
            Err(TryLockError::Poisoned(told)) => self.empty_until(told.into_inner(), &|| !self.is_closed()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Stops a running removal, and then removes what is left for as long as the end of a process may take.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let started = Instant::now();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        self.empty_until(told, &|| started.elapsed() < LAST_PATIENCE);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn empty_until(&self, mut told: MutexGuard<'_, HashSet<OsString>>, goes_on: &dyn Fn() -> bool) {
        let left = std::mem::take(&mut *self.left());
        for path in left {
            // if it fails again, it is noted again
            drop(self.take(&path));
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if let Err(error) = wipe(&entry.path(), goes_on)
                && goes_on()
                && told.insert(entry.file_name())
            {
                let (path, error) = (entry.path(), causes(&error));
                tracing::warn!(path = %path.display(), %error, "a folder could not be removed; the removal is tried again until it succeeds");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_out_of_the_way_at_once_and_whatever_is_left_goes_later() -> io::Result<()> {
        let shared = tempfile::tempdir()?;
        let trash = Trash::open(shared.path())?;
        let left = |folder: &str| fs::read_dir(shared.path().join(folder)).map_or(0, Iterator::count);
        for name in ["first", "second"] {
            fs::create_dir_all(shared.path().join(name).join("inner"))?;
        }
        fs::set_permissions(shared.path().join("first"), Permissions::from_mode(0o000))?;
        assert!(trash.take(&shared.path().join("first"))?.is_some());
        assert_eq!((left("first"), left(Trash::NAME)), (0, 1));
        trash.remove(&shared.path().join("second")).await?;
        trash.remove(&shared.path().join("second")).await?;
        assert_eq!((left("second"), left(Trash::NAME)), (0, 1));
        trash.empty();
        assert_eq!(left(Trash::NAME), 0);
        Ok(())
    }
}
