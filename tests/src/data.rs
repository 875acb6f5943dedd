//! Access to a data folder that bypasses the program.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use callboard_core::base::id::JobId;
use rusqlite::Connection;

/// Returns the files below a folder that have some bytes in them.
///
/// # Errors
/// One of them cannot be read.
pub fn files_with(folder: &Path, bytes: &[u8]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes)?);
        } else if path.is_file() && std::fs::read(&path)?.windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Damages the record of a job in a data folder by executing a statement whose `?1` is the job's id.
///
/// # Errors
/// The statement fails, or it changes no row or more than one.
pub fn damage(data: &Path, statement: &str, job: JobId) -> anyhow::Result<()> {
    let database = Connection::open(data.join("callboard.db"))?;
    ensure!(database.execute(statement, [job.as_bytes()])? == 1, "{statement}");
    Ok(())
}
