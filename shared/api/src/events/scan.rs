//! Reads a page of events, with a limit on the work for one answer.

use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::output::LogStore;
use callboard_core::request::Kind;
use serde_json::value::RawValue;

use super::filter::Filter;
use crate::attempt_log::AttemptLog;

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
        let log = AttemptLog {
            logs: self.logs,
            job: self.job.id,
            attempt: self.attempt,
        };
        let count = log.events().await?;
        let most = if self.filter.is_empty() {
            self.limit
        } else {
            MAX_SCANNED
        };
        let last = count.min(after.saturating_add(most));
        let mut found = Found {
            events: Vec::new(),
            last: after,
            next_attempt: None,
            complete: false,
        };
        for line in log.read_events(after, last, MAX_PAGE_BYTES).await? {
            if self.filter.wants(self.kind, &line)? {
                found.events.push(parse(&line)?);
            }
            found.last += 1;
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
}

fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(what.into())
}

fn parse(line: &[u8]) -> Result<Box<RawValue>, StoreError> {
    serde_json::from_slice(line).map_err(|error| StoreError::Corrupt(Box::new(error)))
}
