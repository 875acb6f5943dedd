//! The jobs of a data folder, for the commands that show them. A service may be using the folder at the same time.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::job::{Job, JobStore};
use callboard_embedded::{FileLogStore, SqliteJobStore};

use crate::cli::{DataFolder, LogFormat};
use crate::{logging, parts, setup};

/// A data folder whose jobs are queried.
pub(crate) struct Jobs {
    pub(crate) store: SqliteJobStore,
    pub(crate) logs: FileLogStore,
    data: PathBuf,
}

impl Jobs {
    /// Opens the data folder.
    pub(crate) fn open(folder: &DataFolder) -> anyhow::Result<Self> {
        // the commands themselves say what is damaged, and what to do
        logging::start(LogFormat::Text, "warn,callboard_core::care::damage=off");
        let data = setup::data_there(folder)?;
        Ok(Self {
            store: SqliteJobStore::new(parts::database_there(&data)?),
            logs: parts::logs(&data),
            data,
        })
    }

    /// Returns the job with the id that the user typed.
    pub(crate) async fn find(&self, id: &str) -> anyhow::Result<Job> {
        let id = parse(id)?;
        match self.store.get(id, SystemClock.now()).await {
            Err(StoreError::NotFound) => bail!("there is no job {id} in the data folder {}", self.data.display()),
            Err(error @ StoreError::Corrupt(_)) => Err(error).with_context(|| {
                format!("the record of the job {id} is damaged; `callboard verify {id}` says what is left")
            }),
            found => found.with_context(|| format!("the data folder {} cannot be read", self.data.display())),
        }
    }
}

/// Parses an id that the user typed.
pub(crate) fn parse(id: &str) -> anyhow::Result<JobId> {
    id.parse()
        .map_err(|_| anyhow!("{id:?} is not a job id; `callboard list` shows the ids of all jobs"))
}

/// Prints bytes; returns whether anybody is still reading.
pub(crate) fn print(bytes: &[u8]) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).context("standard output cannot be written"),
    }
}
