//! Writing what a job prints: buffered, in numbered segments, hashed, bounded, and the same whatever its size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::timeout;

use crate::event::Event;
use crate::id::JobId;
use crate::ports::{LogStore, Manifest, StoreError, Stream};
use crate::progress::Progress;
use crate::segment::{Chain, Segment};
use crate::stream::StreamBuffer;

/// A buffer that holds this much is written without waiting for the next flush.
const FLUSH_BYTES: usize = 256 * 1024;
/// How much may wait in memory while the log store is unavailable; then the job waits.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Eight bytes a number, in the index of events.
const INDEX_BYTES: u64 = 8;

/// How much of one attempt's output is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutputLimits {
    /// Bytes of what it prints, and as many of its events.
    pub max_bytes: u64,
    /// Events.
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

/// The output of one attempt. Clones write to the same streams.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

struct Shared {
    writer: Mutex<Writer>,
    vitals: std::sync::Mutex<Vitals>,
    /// The job is being stopped: it waits for the log store no longer.
    hurried: watch::Sender<bool>,
}

struct Vitals {
    last_output: Instant,
    progress: Option<Progress>,
}

struct Writer {
    logs: Arc<dyn LogStore>,
    job: JobId,
    attempt: u32,
    limits: OutputLimits,
    stdout: StreamBuffer,
    events: StreamBuffer,
    index: StreamBuffer,
    /// Kept until the store has it: a write that failed, or whose future was dropped, is repeated as it was.
    sending: Option<Segment>,
    segments: u64,
    chain: Chain,
    count: u64,
    /// Whoever writes was told to stop, so what would have followed is missing.
    cut_short: bool,
    stdout_truncated: bool,
    events_truncated: bool,
}

impl Output {
    /// Starts the streams of an attempt.
    #[must_use]
    pub fn new(logs: Arc<dyn LogStore>, job: JobId, attempt: u32, limits: OutputLimits) -> Self {
        let writer = Writer {
            logs,
            job,
            attempt,
            limits,
            stdout: StreamBuffer::default(),
            events: StreamBuffer::default(),
            index: StreamBuffer::default(),
            sending: None,
            segments: 0,
            chain: Chain::default(),
            count: 0,
            cut_short: false,
            stdout_truncated: false,
            events_truncated: false,
        };
        let vitals = Vitals {
            last_output: Instant::now(),
            progress: None,
        };
        Self(Arc::new(Shared {
            writer: Mutex::new(writer),
            vitals: std::sync::Mutex::new(vitals),
            hurried: watch::Sender::new(false),
        }))
    }

    /// Adds bytes to the job's output. While the log store is unavailable and too much waits for it, so does this.
    ///
    /// # Errors
    /// The log store refuses what is written.
    pub async fn stdout(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.touch();
        let mut writer = self.0.writer.lock().await;
        writer.print(bytes);
        self.relieve(writer).await
    }

    /// Adds an event; its counter must follow the last one's.
    ///
    /// # Errors
    /// As for [`Output::stdout`]; `Corrupt` if the event cannot be written as JSON.
    pub async fn event(&self, event: &Event) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(event).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        line.push(b'\n');
        let mut writer = self.0.writer.lock().await;
        writer.record(&line);
        self.relieve(writer).await
    }

    /// Writes out what waits.
    ///
    /// # Errors
    /// The log store is unavailable; what waits is kept for the next time.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.writer.lock().await.flush().await
    }

    /// Writes out what waits and seals the streams, trying for as long as `patience` while the log store is
    /// unavailable; `complete` says whether everything printed is there.
    ///
    /// # Errors
    /// The log store stays unavailable, or refuses what is written.
    pub async fn close(&self, complete: bool, patience: Duration) -> Result<Manifest, StoreError> {
        let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
        let mut writer = self.0.writer.lock().await;
        loop {
            match writer.seal(complete).await {
                Err(error) if error.is_retryable() && started.elapsed() + pause <= patience => {
                    tokio::time::sleep(pause).await;
                }
                ended => return ended,
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Has nobody wait for the log store any longer: what does not fit into memory while it is unavailable is missing.
    pub(crate) fn hurry(&self) {
        self.0.hurried.send_replace(true);
    }

    /// Notes how far the job has come.
    pub fn report(&self, progress: Progress) {
        self.with_vitals(|vitals| vitals.progress = Some(progress));
    }

    /// Returns the last reported progress, once.
    #[must_use]
    pub fn take_progress(&self) -> Option<Progress> {
        self.with_vitals(|vitals| vitals.progress.take())
    }

    /// Takes back progress that could not be recorded, unless there is newer.
    pub(crate) fn restore_progress(&self, progress: Option<Progress>) {
        self.with_vitals(|vitals| vitals.progress = vitals.progress.take().or(progress));
    }

    /// Returns how long nothing was printed. A job that waits for the log store is not silent.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.with_vitals(|vitals| vitals.last_output.elapsed())
    }

    async fn relieve(&self, mut writer: MutexGuard<'_, Writer>) -> Result<(), StoreError> {
        let (mut pause, mut hurried) = (FIRST_PAUSE, self.0.hurried.subscribe());
        loop {
            let waiting = writer.waiting();
            if waiting < FLUSH_BYTES {
                return Ok(());
            }
            match writer.flush().await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_retryable() && waiting < MAX_WAITING_BYTES => return Ok(()),
                Err(error) if error.is_retryable() && !*self.0.hurried.borrow() => {}
                Err(error) => {
                    writer.cut_short = true;
                    return if error.is_retryable() { Ok(()) } else { Err(error) };
                }
            }
            drop(writer);
            self.touch();
            let _told = timeout(pause, hurried.wait_for(|hurried| *hurried)).await.is_ok();
            pause = LONGEST_PAUSE.min(pause * 2);
            self.touch();
            writer = self.0.writer.lock().await;
        }
    }

    fn touch(&self) {
        self.with_vitals(|vitals| vitals.last_output = Instant::now());
    }

    fn with_vitals<T>(&self, read: impl FnOnce(&mut Vitals) -> T) -> T {
        read(&mut self.0.vitals.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Writer {
    /// Takes what the limit leaves room for; the last line says where the rest is missing.
    fn print(&mut self, bytes: &[u8]) {
        if self.cut_short || self.stdout_truncated {
            return;
        }
        let room = self.limits.max_bytes - self.stdout.end();
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        self.stdout.push(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.stdout_truncated = true;
            let limit = self.limits.max_bytes;
            tracing::warn!(job.id = %self.job, limit, "the output is truncated");
            let notice = format!("\n[truncated: Callboard keeps {limit} bytes of a job's output; the job goes on]\n");
            self.stdout.push(notice.as_bytes());
        }
    }

    fn record(&mut self, line: &[u8]) {
        let room = self.limits.max_bytes.saturating_sub(self.events.end());
        if self.cut_short || self.events_truncated {
            return;
        }
        if self.count >= self.limits.max_events || line.len() as u64 > room {
            self.events_truncated = true;
            tracing::warn!(job.id = %self.job, events = self.count, "the events are truncated");
            return;
        }
        self.events.push(line);
        let end = self.events.end();
        self.index.push(&end.to_le_bytes());
        self.count += 1;
    }

    fn waiting(&self) -> usize {
        let sending = self.sending.as_ref().map_or(0, |segment| segment.content.len());
        sending + self.stdout.waiting() + self.events.waiting()
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        loop {
            if self.sending.is_none() {
                self.sending = self.take_waiting();
            }
            let Some(segment) = &self.sending else { return Ok(()) };
            self.logs.append(self.job, self.attempt, segment).await?;
            self.chain.add(&segment.head);
            self.sending = None;
        }
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

    async fn seal(&mut self, complete: bool) -> Result<Manifest, StoreError> {
        self.flush().await?;
        let manifest = Manifest {
            stdout_bytes: self.stdout.end(),
            stdout_sha256: Some(self.stdout.sha256()),
            events_bytes: self.events.end(),
            events_sha256: Some(self.events.sha256()),
            events: self.count,
            segments: self.segments,
            segments_sha256: self.chain.sha256(),
            complete: complete && !self.cut_short,
            truncated: self.stdout_truncated || self.events_truncated,
        };
        self.logs.seal(self.job, self.attempt, &manifest).await?;
        Ok(manifest)
    }
}

/// Seals the streams of an attempt whose worker is lost, as far as they go without a gap. One that its worker has
/// sealed stays as it is.
///
/// # Errors
/// As the log store has them.
pub async fn seal_lost(logs: &dyn LogStore, job: JobId, attempt: u32) -> Result<(), StoreError> {
    if logs.manifest(job, attempt).await?.is_some() {
        return Ok(());
    }
    let (mut ends, mut chain, mut segments) = ([0; Stream::ALL.len()], Chain::default(), 0);
    for head in logs.segments(job, attempt).await? {
        if head.number != segments + 1 || !head.follows(ends) {
            break;
        }
        chain.add(&head);
        ends = head.ends();
        segments += 1;
    }
    let [stdout_bytes, events_bytes, index_bytes] = ends;
    let manifest = Manifest {
        stdout_bytes,
        events_bytes,
        events: index_bytes / INDEX_BYTES,
        segments,
        segments_sha256: chain.sha256(),
        ..Manifest::default()
    };
    logs.seal(job, attempt, &manifest).await
}
