//! Archives: what was fetched for one job and serves the next.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// An archive that a cache has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    /// The file; it is not to be changed.
    pub path: PathBuf,
    /// When it was put there.
    pub made_at: Timestamp,
}

/// Keeps what sources and their requirements came to, so that a second job need not fetch them again. Keys are paths of
/// letters, digits, `-`, `.` and `/`. What is put under one key is whole for every reader, whoever puts it at the same time.
#[async_trait]
pub trait ArchiveCache: Send + Sync {
    /// Returns an archive, if there is one; a cache that is elsewhere writes it into `folder`.
    async fn get(&self, key: &str, folder: &Path) -> Result<Option<Archive>, StoreError>;

    /// Keeps a file, in place of one that the key had.
    async fn put(&self, key: &str, file: &Path) -> Result<(), StoreError>;
}
