//! The path of the database, and a check that the open file is still the one at that path.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that was opened at a path.
#[derive(Clone, Debug)]
pub(super) struct Place {
    path: Arc<PathBuf>,
    device: u64,
    inode: u64,
}

/// The file at the path is not the open one, so anything written would be lost.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "the file is gone, or is not the one that is open: put the data folder back as it was, or restart the service \
     to use what is there now"
)]
pub(super) struct Moved;

impl Place {
    /// Notes which file is at a path.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            path: Arc::new(path.to_owned()),
            device: file.dev(),
            inode: file.ino(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the file is still there.
    pub(super) fn check(&self) -> Result<(), Moved> {
        match fs::metadata(&*self.path) {
            Ok(file) if (file.dev(), file.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(Moved),
        }
    }
}
