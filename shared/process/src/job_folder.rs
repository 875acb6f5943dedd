//! The folder of a running job; it is removed when the job ends.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::files::{create_private, write_private};
use crate::folders::make_private;
use crate::processes;
use crate::trash::Trash;

const PAUSE: Duration = Duration::from_millis(20);
/// How often processes are looked for: for at least 2 s.
const TRIES: u32 = 100;

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

    /// Ends the processes that have the folder for their temporary files, as far as they have not hidden that: what is left of a job
    /// whose own supervisor is lost.
    pub async fn end_processes(&self) {
        for _ in 0..TRIES {
            if processes::end_marked(&self.path) == 0 {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    async fn what_is_left_of_a_job_is_found_by_its_folder() -> Result<(), Box<dyn std::error::Error>> {
        let parent = tempfile::tempdir()?;
        let trash = Trash::open(parent.path())?;
        let folder = JobFolder::new(parent.path().join("job-1"), trash);
        let start = |folder: &str| {
            let mut sleep = Command::new("sleep");
            sleep
                .arg("600")
                .env("TMPDIR", parent.path().join(folder))
                .stdin(Stdio::null())
                .spawn()
        };
        let (mut own, mut below, mut other) = (start("job-1")?, start("job-1/tmp")?, start("job-12")?);
        folder.end_processes().await;
        assert!(!own.wait()?.success() && !below.wait()?.success());
        assert!(other.try_wait()?.is_none());
        other.kill()?;
        other.wait()?;
        Ok(())
    }
}
