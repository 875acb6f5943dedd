//! Reads what an attempt has left: its output, and its events by their index.

use std::ops::Range;

use bytes::Bytes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{LogKey, LogStore, Stream, index};

/// The output and the events of one attempt.
pub(crate) struct AttemptLog<'a> {
    pub(crate) logs: &'a dyn LogStore,
    pub(crate) job: JobId,
    pub(crate) attempt: u32,
}

impl AttemptLog<'_> {
    /// Returns how many bytes it has printed.
    pub(crate) async fn output(&self) -> Result<u64, StoreError> {
        self.logs.size(self.key(Stream::Stdout)).await
    }

    /// Reads a range of what it has printed; the part beyond its end is left out.
    pub(crate) async fn read_output(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.logs.read(self.key(Stream::Stdout), range).await
    }

    /// Returns how many events there are.
    pub(crate) async fn events(&self) -> Result<u64, StoreError> {
        let size = self.logs.size(self.key(Stream::EventIndex)).await?;
        Ok(index::count(size))
    }

    /// Reads the events after the one numbered `after`, up to `last`: as many as fit in `max_bytes`, but at least one.
    pub(crate) async fn read_events(&self, after: u64, last: u64, max_bytes: u64) -> Result<Vec<Bytes>, StoreError> {
        if last <= after {
            return Ok(Vec::new());
        }
        let part = self.logs.read(self.key(Stream::EventIndex), index::range(after, last));
        let bounds = index::bounds(&part.await?, after).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        let [start, first, ..] = bounds[..] else {
            return Ok(Vec::new());
        };
        let fit = bounds.iter().rev().find(|end| **end - start <= max_bytes);
        let end = *fit.unwrap_or(&first).max(&first);
        let text = self.logs.read(self.key(Stream::Events), start..end).await?;
        if text.len() < to_usize(first - start) {
            return Err(StoreError::Corrupt("the events end before their index says".into()));
        }
        let places: Vec<usize> = bounds.iter().map(|end| to_usize(end - start)).collect();
        let lines = places.windows(2).filter(|line| line[1] <= text.len());
        Ok(lines.map(|line| text.slice(line[0]..line[1])).collect())
    }

    fn key(&self, stream: Stream) -> LogKey {
        LogKey {
            job: self.job,
            attempt: self.attempt,
            stream,
        }
    }
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
