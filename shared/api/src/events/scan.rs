//! Reads a page of events, with a limit on the work for one answer.

use bytes::Bytes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::output::{LogKey, LogStore, Stream, index};
use callboard_core::request::Kind;
use serde_json::value::RawValue;

use super::filter::Filter;

/// How many bytes are read for a page, at most. A single event is always read whole.
const MAX_PAGE_BYTES: u64 = 4 * 1024 * 1024;
/// How many events are examined for a page when a filter is set.
const MAX_SCANNED: u64 = 20_000;

/// What to read, and how much of it.
pub(super) struct Scan<'a> {
    pub(super) logs: &'a dyn LogStore,
    pub(super) job: &'a Job,
    pub(super) attempt: u32,
    pub(super) filter: &'a Filter,
    pub(super) kind: &'a dyn Kind,
    pub(super) limit: u64,
}

/// The events that were found.
pub(super) struct Found {
    /// The events.
    pub(super) events: Vec<Box<RawValue>>,
    /// The counter of the last event that was examined.
    pub(super) last: u64,
    /// The next attempt, if there is one and all events of this one were examined.
    pub(super) next_attempt: Option<u32>,
    /// Whether no more events follow, in this or any later attempt.
    pub(super) complete: bool,
}

impl Found {
    /// Returns whether there is something to answer with before the wait is over.
    pub(super) fn is_an_answer(&self) -> bool {
        !self.events.is_empty() || self.next_attempt.is_some() || self.complete
    }
}

impl Scan<'_> {
    /// Reads the events that follow the given one.
    pub(super) async fn after(&self, after: u64) -> Result<Found, StoreError> {
        let count = index::count(self.size(Stream::EventIndex).await?);
        let most = if self.filter.is_empty() {
            self.limit
        } else {
            MAX_SCANNED
        };
        let ends = self.ends(after, count.min(after.saturating_add(most))).await?;
        let lines = self.lines(&ends).await?;
        if let [start, first, ..] = ends[..]
            && lines.len() < to_usize(first - start)
        {
            return Err(damaged("the events end before their index says"));
        }
        let mut found = Found {
            events: Vec::new(),
            last: after,
            next_attempt: None,
            complete: false,
        };
        let (start, ends) = ends.split_first().map_or((0, &[][..]), |(start, ends)| (*start, ends));
        let mut begun = 0;
        for end in ends
            .iter()
            .map(|end| to_usize(end - start))
            .take_while(|end| *end <= lines.len())
        {
            let line = lines.slice(begun..end);
            if self.filter.wants(self.kind, &line)? {
                found.events.push(parse(&line)?);
            }
            found.last += 1;
            begun = end;
            if found.events.len() as u64 == self.limit {
                break;
            }
        }
        if found.last >= count {
            let state = &self.job.state;
            found.next_attempt = (self.attempt < state.attempt).then_some(self.attempt + 1);
            found.complete = found.next_attempt.is_none() && state.status.is_final();
        }
        if found.complete {
            self.check_whole(count).await?;
        }
        Ok(found)
    }

    /// Fails if fewer events are left than were sealed.
    async fn check_whole(&self, count: u64) -> Result<(), StoreError> {
        let manifest = self.logs.sound_manifest(self.job.id, self.attempt).await?;
        match manifest.and_then(|manifest| manifest.missing_events(count)) {
            Some(missing) => Err(damaged(&format!("only {missing}"))),
            None => Ok(()),
        }
    }

    /// Returns the offset where the events after `after` start, and the end offset of each one up to `last`.
    async fn ends(&self, after: u64, last: u64) -> Result<Vec<u64>, StoreError> {
        if last <= after {
            return Ok(Vec::new());
        }
        let range = index::range(after, last);
        let part = self.logs.read(self.key(Stream::EventIndex), range).await?;
        index::bounds(&part, after).map_err(|error| StoreError::Corrupt(Box::new(error)))
    }

    /// Reads as many whole lines as fit in a page.
    async fn lines(&self, ends: &[u64]) -> Result<Bytes, StoreError> {
        let (Some(start), Some(first)) = (ends.first(), ends.get(1)) else {
            return Ok(Bytes::new());
        };
        let fit = ends
            .iter()
            .rev()
            .find(|end| **end - start <= MAX_PAGE_BYTES)
            .unwrap_or(first);
        let range = *start..*fit.max(first);
        self.logs.read(self.key(Stream::Events), range).await
    }

    async fn size(&self, stream: Stream) -> Result<u64, StoreError> {
        self.logs.size(self.key(stream)).await
    }

    fn key(&self, stream: Stream) -> LogKey {
        LogKey {
            job: self.job.id,
            attempt: self.attempt,
            stream,
        }
    }
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(what.into())
}

fn parse(line: &[u8]) -> Result<Box<RawValue>, StoreError> {
    serde_json::from_slice(line).map_err(|error| StoreError::Corrupt(Box::new(error)))
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
