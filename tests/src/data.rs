//! Reaching into a data folder, past the program.

use std::path::Path;

use anyhow::ensure;
use callboard_core::base::id::JobId;
use rusqlite::Connection;

/// Damages the record of a job in a data folder: executes a statement whose `?1` is the job's id.
///
/// # Errors
/// It cannot be executed, or changes no row or several.
pub fn damage(data: &Path, statement: &str, job: JobId) -> anyhow::Result<()> {
    let database = Connection::open(data.join("callboard.db"))?;
    ensure!(database.execute(statement, [job.as_bytes()])? == 1, "{statement}");
    Ok(())
}
