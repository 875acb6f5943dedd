//! Examines the database for damage without changing it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Job, JobStatus};
use rusqlite::{Connection, OpenFlags, Row};

use crate::credential_rows;
use crate::credential_store::open;
use crate::error::sqlite;
use crate::key_file::KeyFile;
use crate::rows::{self, JOB_COLUMNS, column, select};
use crate::schema::SCHEMA_VERSION;

/// How many faults of the file are reported.
const MOST_FAULTS: usize = 10;

/// A database opened for reading only, whether or not a service is using it.
pub struct Examination(Connection);

/// The records of jobs, as far as they can be read.
#[derive(Debug, Default)]
pub struct Records {
    /// Every job whose id can be read.
    pub ids: HashSet<JobId>,
    /// Records that cannot be read: the job's id, or the id column in hexadecimal digits if it is not valid, and the reason.
    pub damaged: Vec<(String, String)>,
    /// Jobs that are waiting although the queue has given them up.
    pub dead_letters: Vec<JobId>,
    /// Jobs that are recorded as running.
    pub running: Vec<JobId>,
    /// Jobs that have ended after they were started, with the number of their last attempt.
    pub ended: Vec<(JobId, u32)>,
}

impl Examination {
    /// The version of the schema that this release writes.
    pub const SCHEMA_VERSION: u32 = SCHEMA_VERSION;

    /// Opens a database for reading; `None` if there is no such file.
    ///
    /// # Errors
    /// The file is not a database, or cannot be read.
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(address(path), flags).map_err(sqlite)?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(sqlite)?;
        Ok(Some(Self(connection)))
    }

    /// Returns the file's schema version; 0 if it has none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn schema_version(&self) -> Result<u32, StoreError> {
        let found = self.0.query_row("PRAGMA user_version", [], |row| row.get(0));
        found.map_err(sqlite)
    }

    /// Returns the faults that SQLite finds in the file, at most ten.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        let check = format!("PRAGMA quick_check({MOST_FAULTS})");
        let mut told: Vec<String> = select(&self.0, &check, (), |row| row.get(0).map_err(sqlite))?;
        told.retain(|told| told != "ok");
        Ok(told)
    }

    /// Reads the record of every job.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn records(&self) -> Result<Records, StoreError> {
        let query = format!("SELECT {JOB_COLUMNS}, status, hex(id) AS id_text FROM jobs ORDER BY id");
        let mut found = Records::default();
        select(&self.0, &query, (), |row| {
            found.note(row);
            Ok(())
        })?;
        Ok(found)
    }

    /// Returns the name of every credential, and the reason if it cannot be opened with the keys of a file.
    ///
    /// # Errors
    /// The credentials or the keys cannot be read.
    pub fn credentials(&self, key_file: PathBuf) -> Result<Vec<(String, Option<String>)>, StoreError> {
        let rows = credential_rows::each(&self.0)?;
        if rows.is_empty() && !key_file.exists() {
            return Ok(Vec::new());
        }
        let files = KeyFile::new(key_file);
        // read the keys after the rows: a rotation writes the file first
        let keys = files.read()?;
        let try_to_open = |row| open(&files, &keys, &row).map(drop);
        let rows = rows.into_iter();
        Ok(rows
            .map(|(name, row)| {
                (
                    name,
                    row.and_then(try_to_open)
                        .err()
                        .map(|error| causes(error.cause()).to_string()),
                )
            })
            .collect())
    }
}

impl Records {
    /// Notes the facts of a row. The job itself is not kept: all jobs together may be larger than memory.
    fn note(&mut self, row: &Row<'_>) {
        let id = rows::id(row).ok();
        self.ids.extend(id);
        match read(row) {
            Ok(job) => self.add(&job),
            Err(error) => {
                let name = match id {
                    Some(id) => id.to_string(),
                    None => column(row, "id_text").unwrap_or_default(),
                };
                self.damaged.push((name, causes(error.cause()).to_string()));
            }
        }
    }

    fn add(&mut self, job: &Job) {
        let state = &job.state;
        if state.dead_letter.is_some() && !state.status.is_final() {
            self.dead_letters.push(job.id);
        }
        if state.status == JobStatus::Running {
            self.running.push(job.id);
        }
        if state.status.is_final() && state.attempt > 0 {
            self.ended.push((job.id, state.attempt));
        }
    }
}

/// Reads the record of a row, and checks that the row's status is that in its state.
fn read(row: &Row<'_>) -> Result<Job, StoreError> {
    let job = rows::job(row)?;
    let status: String = column(row, "status")?;
    if status == job.state.status.as_str() {
        return Ok(job);
    }
    let why = format!(
        "its row has the status {status:?}, and its state {:?}",
        job.state.status.as_str()
    );
    Err(StoreError::Corrupt(why.into()))
}

/// Returns the file's address for SQLite. If there is no log next to it, nobody has it open: it is then opened as
/// immutable, because SQLite would otherwise leave an empty log there.
fn address(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    match path.to_str() {
        Some(text) if !Path::new(&log).exists() => {
            let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            PathBuf::from(format!("file:{escaped}?immutable=1"))
        }
        _ => path.to_owned(),
    }
}
