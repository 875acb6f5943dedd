//! How much disk space the files fetched for a job may take when unpacked: sources, submodules, requirements and inventories
//! together, whichever program fetches them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::blocking::{Going, on_a_thread};

/// The maximum number of files, folders and links.
const MAX_ENTRIES: u64 = 1_000_000;
/// The unit in which a file's blocks are counted.
const BLOCK_BYTES: u64 = 512;
/// The shortest time between two measurements of a growing folder.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The room that is left for a job.
#[derive(Debug)]
pub(crate) struct Room {
    limit: u64,
    bytes: AtomicU64,
    entries: AtomicU64,
}

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

impl Room {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            bytes: AtomicU64::new(limit),
            entries: AtomicU64::new(MAX_ENTRIES),
        })
    }

    /// Takes room; the error is the end of a sentence that says that there is not enough.
    pub(crate) fn take(&self, bytes: u64, entries: u64) -> io::Result<()> {
        take(&self.bytes, bytes)
            .and_then(|()| take(&self.entries, entries))
            .ok_or_else(|| io::Error::other(self.full()))
    }

    /// Returns the end of a sentence that says that what was fetched is too large.
    pub(crate) fn full(&self) -> String {
        let limit = match self.entries.load(Ordering::Relaxed) {
            0 => format!("{MAX_ENTRIES} files"),
            _ => format!("{} bytes", self.limit),
        };
        format!("together with everything else that was fetched for the job, it is larger than the limit of {limit}")
    }

    /// Watches a growing folder. Returns once it holds more than `times` the room that is left; otherwise it never returns.
    pub(crate) async fn outgrown(&self, folder: &Path, times: u64) {
        loop {
            let (folder, started) = (folder.to_owned(), Instant::now());
            let size = on_a_thread(move |going| Ok(measure(folder, going)))
                .await
                .unwrap_or_default();
            let most = self.bytes.load(Ordering::Relaxed).saturating_mul(times);
            if size.bytes > most || size.entries > self.entries.load(Ordering::Relaxed).saturating_mul(times) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY.max(started.elapsed() * 4)).await;
        }
    }
}

fn take(left: &AtomicU64, wanted: u64) -> Option<()> {
    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(wanted));
    if taken.is_err() {
        left.store(0, Ordering::Relaxed);
    }
    taken.ok().map(drop)
}

/// Measures a folder: the size of its files, or the disk space they take if that is more. What cannot be read counts as nothing.
pub(crate) fn measure(folder: PathBuf, going: &Going) -> Size {
    let (mut size, mut waiting) = (Size::default(), vec![folder]);
    while let Some(folder) = waiting.pop() {
        if going.check().is_err() {
            break;
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            size.entries += 1;
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                waiting.push(entry.path());
            }
            size.bytes = size.bytes.saturating_add(found.len().max(found.blocks() * BLOCK_BYTES));
        }
    }
    size
}
