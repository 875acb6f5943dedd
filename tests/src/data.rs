//! Access to a data folder that bypasses the program.

use std::path::Path;

use anyhow::ensure;
use callboard_core::base::id::JobId;
use rusqlite::Connection;

/// Damages the record of a job in a data folder by executing a statement whose `?1` is the job's id.
///
/// # Errors
/// The statement fails, or it changes no row or more than one.
pub fn damage(data: &Path, statement: &str, job: JobId) -> anyhow::Result<()> {
    let database = Connection::open(data.join("callboard.db"))?;
    ensure!(database.execute(statement, [job.as_bytes()])? == 1, "{statement}");
    Ok(())
}
