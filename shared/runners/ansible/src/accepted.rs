//! The host keys that a job accepts, if the policy allows it. A job starts with the keys that earlier jobs accepted, and later
//! jobs know the keys that it accepts.

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::HostKeyStore;
use callboard_core::credential::known_hosts::{HostKey, knows};
use callboard_process::files::{open_in_place, read_part, write_private};

use crate::task::Task;
use crate::unready::Unready;

/// How often accepted keys are stored, so that jobs beside this one, and jobs after a worker was killed, know them.
const PAUSE: Duration = Duration::from_secs(1);
/// How many bytes one job may add: many times what a thousand hosts need.
const MAX_BYTES: u64 = 4 << 20;
/// How many keys of one job are stored.
const MAX_KEYS: usize = 10_000;

/// The file into which a job's ssh writes the keys that it accepts, and the store that keeps them.
pub(crate) struct Accepted {
    store: Arc<dyn HostKeyStore>,
    tenant: Tenant,
    file: PathBuf,
    kept: HashSet<HostKey>,
    /// The length of the file when the job began, and when it was last read.
    start_bytes: u64,
    read_bytes: u64,
}

impl Accepted {
    /// Writes the file with the keys that earlier jobs accepted, except for hosts whose keys are `given`: those keys apply
    /// instead.
    pub(crate) async fn start(task: &Task<'_>, file: PathBuf, given: &[&str]) -> Result<Self, Unready> {
        let (store, tenant) = (Arc::clone(&task.reach.host_keys), task.job.tenant.clone());
        let kept = store.load(&tenant).await.map_err(|error| {
            Unready::runner("The host keys that earlier jobs have accepted cannot be read.").caused(error)
        })?;
        let holds = |key: &&HostKey| !given.iter().any(|lines| knows(lines, &key.host));
        let lines: String = kept.iter().filter(holds).map(|key| format!("{key}\n")).collect();
        write_private(&file, lines.as_bytes())?;
        Ok(Self {
            store,
            tenant,
            file,
            kept: kept.into_iter().collect(),
            start_bytes: lines.len() as u64,
            read_bytes: lines.len() as u64,
        })
    }

    /// Returns the file's path.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Runs a future and stores the keys that are accepted meanwhile.
    pub(crate) async fn keep_during<T>(&mut self, run: impl Future<Output = T>) -> T {
        let ended = tokio::select! {
            ended = run => ended,
            never = self.keep_on() => match never {},
        };
        if let Err(error) = self.keep().await {
            tracing::error!(error = %causes(&error), "host keys that a job has accepted could not be kept");
        }
        ended
    }

    async fn keep_on(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(PAUSE).await;
            // keys that could not be stored are tried again; the error is logged at the end
            drop(self.keep().await);
        }
    }

    async fn keep(&mut self) -> Result<(), StoreError> {
        let read = self.read().await;
        let Some((text, bytes)) = read.map_err(|error| StoreError::Unavailable(Box::new(error)))? else {
            return Ok(());
        };
        let found = text.lines().flat_map(HostKey::of_line);
        let new: HashSet<HostKey> = found.filter(|key| !self.kept.contains(key)).take(MAX_KEYS).collect();
        let new: Vec<HostKey> = new.into_iter().collect();
        if !new.is_empty() {
            self.store.keep(&self.tenant, &new).await?;
            self.kept.extend(new);
        }
        self.read_bytes = bytes;
        Ok(())
    }

    /// Reads what the job has added, if the file's length has changed; returns the new length too. The file belongs to the job,
    /// which may have put something else in its place, or a link in that of its folder.
    async fn read(&self) -> io::Result<Option<(String, u64)>> {
        let (file, start, known) = (self.file.clone(), self.start_bytes, self.read_bytes);
        let read = move || {
            let file = open_in_place(&file)?;
            let bytes = file.metadata()?.len();
            if bytes == known {
                return Ok(None);
            }
            let added = read_part(file, start, MAX_BYTES)?;
            Ok(Some((String::from_utf8_lossy(&added).into_owned(), bytes)))
        };
        tokio::task::spawn_blocking(read).await?
    }
}
