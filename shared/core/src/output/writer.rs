//! The streams of an attempt on their way to the log store: buffered, in numbered segments, hashed and bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::buffer::StreamBuffer;
use super::index;
use super::manifest::Manifest;
use super::segment::{Chain, Segment};
use super::store::LogStore;
use super::written::Written;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;

/// How much of one attempt's output is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutputLimits {
    /// The maximum number of bytes of what it prints, and of its events as well.
    pub max_bytes: u64,
    /// The maximum number of events.
    pub max_events: u64,
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            max_events: 1_000_000,
        }
    }
}

/// Writes the streams of one attempt.
pub(super) struct Writer {
    logs: Arc<dyn LogStore>,
    job: JobId,
    attempt: u32,
    limits: OutputLimits,
    stdout: StreamBuffer,
    events: StreamBuffer,
    index: StreamBuffer,
    /// The segment being sent, kept until the store has it. A write that failed, or whose future was dropped, is repeated unchanged.
    sending: Option<Segment>,
    segments: u64,
    chain: Chain,
    count: u64,
    /// Whether the log belongs to another worker, so that nothing more is written.
    discarded: Arc<AtomicBool>,
    /// Whether writing was cut short, so that the rest of the output is missing.
    cut_short: bool,
    stdout_truncated: bool,
    events_truncated: bool,
}

impl Writer {
    pub(super) fn new(
        logs: Arc<dyn LogStore>,
        job: JobId,
        attempt: u32,
        limits: OutputLimits,
        discarded: Arc<AtomicBool>,
        written: Written,
    ) -> Self {
        let count = written.events();
        let [stdout, events, index] = written.ends.map(StreamBuffer::after);
        Self {
            logs,
            job,
            attempt,
            limits,
            stdout,
            events,
            index,
            sending: None,
            segments: written.segments,
            chain: written.chain,
            count,
            discarded,
            cut_short: false,
            stdout_truncated: false,
            events_truncated: false,
        }
    }

    /// Takes as much as the limit leaves room for; the last line says where the rest is missing.
    pub(super) fn print(&mut self, bytes: &[u8]) {
        if self.cut_short || self.stdout_truncated {
            return;
        }
        let room = self.limits.max_bytes.saturating_sub(self.stdout.end());
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        self.stdout.push(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.stdout_truncated = true;
            let limit = self.limits.max_bytes;
            tracing::warn!(limit, "the output is truncated");
            let notice = format!("\n[truncated: Callboard keeps {limit} bytes of a job's output; the job goes on]\n");
            self.stdout.push(notice.as_bytes());
        }
    }

    pub(super) fn record(&mut self, line: &[u8]) {
        let room = self.limits.max_bytes.saturating_sub(self.events.end());
        if self.cut_short || self.events_truncated {
            return;
        }
        if self.count >= self.limits.max_events || line.len() as u64 > room {
            self.events_truncated = true;
            tracing::warn!(events = self.count, "the events are truncated");
            return;
        }
        self.events.push(line);
        let end = self.events.end();
        self.index.push(&index::entry(end));
        self.count += 1;
    }

    /// Records that the rest of the output is missing, because its writer no longer waits for the log store.
    pub(super) fn cut_short(&mut self) {
        self.cut_short = true;
    }

    pub(super) fn size(&self) -> u64 {
        self.stdout.end()
    }

    pub(super) fn waiting(&self) -> usize {
        let sending = self.sending.as_ref().map_or(0, |segment| segment.content.len());
        sending + self.stdout.waiting() + self.events.waiting()
    }

    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        loop {
            if self.sending.is_none() {
                self.sending = self.take_waiting();
            }
            let Some(segment) = &self.sending else { return Ok(()) };
            if self.is_discarded() {
                self.sending = None;
                continue;
            }
            match self.logs.append(self.job, self.attempt, segment).await {
                // the attempt is sealed, so it belongs to another worker
                Err(StoreError::Conflict) => self.discarded.store(true, Ordering::Relaxed),
                appended => appended?,
            }
            self.chain.add(&segment.head);
            self.sending = None;
        }
    }

    fn is_discarded(&self) -> bool {
        self.discarded.load(Ordering::Relaxed)
    }

    fn take_waiting(&mut self) -> Option<Segment> {
        if self.stdout.waiting() + self.events.waiting() == 0 {
            return None;
        }
        let [(stdout_end, stdout), (events_end, events), (index_end, index)] =
            [&mut self.stdout, &mut self.events, &mut self.index].map(StreamBuffer::take);
        self.segments += 1;
        let ends = [stdout_end, events_end, index_end];
        Some(Segment::new(self.segments, ends, [&stdout, &events, &index]))
    }

    pub(super) async fn seal(&mut self, complete: bool) -> Result<Manifest, StoreError> {
        self.flush().await?;
        let manifest = Manifest {
            stdout_bytes: self.stdout.end(),
            stdout_sha256: self.stdout.sha256(),
            events_bytes: self.events.end(),
            events_sha256: self.events.sha256(),
            events: self.count,
            segments: self.segments,
            segments_sha256: self.chain.sha256(),
            complete: complete && !self.cut_short,
            truncated: self.stdout_truncated || self.events_truncated,
        };
        if !self.is_discarded() {
            self.logs.seal(self.job, self.attempt, &manifest).await?;
        }
        Ok(manifest)
    }
}
