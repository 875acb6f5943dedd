//! Archives: files that were fetched for one job and serve the next.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::base::store_error::StoreError;
use crate::base::time::Timestamp;

/// An archive in a cache.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    /// The file; it must not be changed.
    pub path: PathBuf,
    /// When it was put into the cache.
    pub made_at: Timestamp,
}

/// Keeps fetched sources and their requirements, so that a second job need not fetch them again. Keys are paths of letters,
/// digits, `-`, `.` and `/`. Every reader gets a complete file, even if several writers put one under the same key at once.
#[async_trait]
pub trait ArchiveCache: Send + Sync {
    /// Returns an archive, if there is one; a remote cache writes it into `folder`.
    async fn get(&self, key: &str, folder: &Path) -> Result<Option<Archive>, StoreError>;

    /// Keeps a file under a key, in place of any earlier one.
    async fn put(&self, key: &str, file: &Path) -> Result<(), StoreError>;
}
