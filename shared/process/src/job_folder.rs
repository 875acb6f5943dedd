//! The folder of a running job. Removed when the job ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::write_private;
use crate::folders::make_private;
use crate::trash::Trash;

/// The folder of one attempt at a job.
#[derive(Debug)]
pub struct JobFolder {
    path: PathBuf,
    trash: Arc<Trash>,
}

impl JobFolder {
    pub(crate) fn new(path: PathBuf, trash: Arc<Trash>) -> Self {
        Self { path, trash }
    }

    /// Returns the folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it that only the job's user can use.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        make_private(&path)?;
        Ok(path)
    }

    /// Writes a file that only the job's user can read; returns its path.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        write_private(&path, content)?;
        Ok(path)
    }

    /// Removes the folder and everything in it. Nothing is at its path from then on; what takes long to remove, or resists, goes
    /// on to be removed after the job's end.
    ///
    /// # Errors
    /// It cannot be taken out of its place yet; that is tried again until it is gone.
    pub async fn remove(&self) -> io::Result<()> {
        self.trash.remove(&self.path).await
    }
}
