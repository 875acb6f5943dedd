//! The folder of a running job; it is removed when the job ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{create_private, write_private};
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

    /// Makes a folder in the job's folder that only the job's user can use.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        make_private(&path)?;
        Ok(path)
    }

    /// Writes a file that only the job's user can read; returns its path.
    ///
    /// # Errors
    /// The file exists already, or cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        write_private(&path, content)?;
        Ok(path)
    }

    /// Creates a file that only this user may read; returns it and its path.
    ///
    /// # Errors
    /// The file exists already, or cannot be created.
    pub fn create(&self, name: &str) -> io::Result<(File, PathBuf)> {
        let path = self.path.join(name);
        Ok((create_private(&path)?, path))
    }

    /// Removes the folder and everything in it. From then on, nothing is at its path; if the removal takes long or
    /// something resists, it continues after the job's end.
    ///
    /// # Errors
    /// The folder cannot be moved out of its place yet; this is tried again until it is gone.
    pub async fn remove(&self) -> io::Result<()> {
        self.trash.remove(&self.path).await
    }
}
