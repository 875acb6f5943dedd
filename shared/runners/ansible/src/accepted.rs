//! The host keys that a job accepts, where the policy lets it: known to the job from the start are those of earlier jobs, and
//! later jobs know its own.

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
use callboard_process::files::{open_untrusted, read_untrusted, write_private};

use crate::task::Task;
use crate::unready::Unready;

/// How soon a key that was accepted is kept: a job beside this one, or after a worker that was killed, knows it then.
const PAUSE: Duration = Duration::from_secs(1);
/// How much one job may add: what a thousand hosts have, many times over.
const MAX_BYTES: u64 = 4 << 20;
/// How many keys of one job are kept.
const MAX_KEYS: usize = 10_000;

/// The file into which a job's ssh writes the keys that it accepts, and where they are kept.
pub(crate) struct Accepted {
    store: Arc<dyn HostKeyStore>,
    tenant: Tenant,
    file: PathBuf,
    kept: HashSet<HostKey>,
    /// How long the file was when the job began, and when it was read last.
    start_bytes: u64,
    read_bytes: u64,
}

impl Accepted {
    /// Writes the file, with the keys that earlier jobs have accepted; not those of hosts whose keys are `given`, which hold
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

    /// Returns the file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Runs something and keeps the keys that are accepted meanwhile.
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
            // what could not be kept is tried again, and told at the end
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

    /// Reads what the job has added, if the file has grown; returns how long it is, too. It is the job's: something else may
    /// have taken its place.
    async fn read(&self) -> io::Result<Option<(String, u64)>> {
        let (file, start, known) = (self.file.clone(), self.start_bytes, self.read_bytes);
        let read = move || {
            let bytes = open_untrusted(&file)?.metadata()?.len();
            if bytes == known {
                return Ok(None);
            }
            let added = read_untrusted(&file, start, MAX_BYTES)?;
            Ok(Some((String::from_utf8_lossy(&added).into_owned(), bytes)))
        };
        tokio::task::spawn_blocking(read).await?
    }
}
