//! Writing what a job prints: buffered, numbered by offset, hashed, and the same whatever its size.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::event::Event;
use crate::id::JobId;
use crate::ports::{Chunk, LogStore, Manifest, StoreError, Stream};
use crate::progress::Progress;
use crate::stream::StreamBuffer;

/// A buffer that holds this much is written without waiting for the next flush.
const FLUSH_BYTES: usize = 256 * 1024;
/// How much may wait in memory while the log store is unavailable.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
const CLOSE_TRIES: u32 = 6;
const CLOSE_PAUSE: Duration = Duration::from_millis(50);

/// The output of one attempt. Clones write to the same streams.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

struct Shared {
    writer: Mutex<Writer>,
    vitals: std::sync::Mutex<Vitals>,
}

struct Vitals {
    last_output: Instant,
    progress: Option<Progress>,
}

struct Writer {
    logs: Arc<dyn LogStore>,
    job: JobId,
    attempt: u32,
    stdout: StreamBuffer,
    events: StreamBuffer,
    index: StreamBuffer,
    /// Kept until the store has it: a write that failed, or whose future was dropped, is repeated as it was.
    sending: Vec<Chunk>,
    count: u64,
    /// Whoever writes was told to stop, so what would have followed is missing.
    cut_short: bool,
}

impl Output {
    /// Starts the streams of an attempt.
    #[must_use]
    pub fn new(logs: Arc<dyn LogStore>, job: JobId, attempt: u32) -> Self {
        let writer = Writer {
            logs,
            job,
            attempt,
            stdout: StreamBuffer::new(Stream::Stdout),
            events: StreamBuffer::new(Stream::Events),
            index: StreamBuffer::new(Stream::EventIndex),
            sending: Vec::new(),
            count: 0,
            cut_short: false,
        };
        let vitals = Vitals {
            last_output: Instant::now(),
            progress: None,
        };
        Self(Arc::new(Shared {
            writer: Mutex::new(writer),
            vitals: std::sync::Mutex::new(vitals),
        }))
    }

    /// Adds bytes to the job's output.
    ///
    /// # Errors
    /// The log store has been unavailable for so long that too much waits for it.
    pub async fn stdout(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.with_vitals(|vitals| vitals.last_output = Instant::now());
        let mut writer = self.0.writer.lock().await;
        writer.stdout.push(bytes);
        writer.relieve().await
    }

    /// Adds an event; its counter must follow the last one's.
    ///
    /// # Errors
    /// As for [`Output::stdout`]; `Corrupt` if the event cannot be written as JSON.
    pub async fn event(&self, event: &Event) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(event).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        line.push(b'\n');
        let mut writer = self.0.writer.lock().await;
        writer.events.push(&line);
        let end = writer.events.end();
        writer.index.push(&end.to_le_bytes());
        writer.count += 1;
        writer.relieve().await
    }

    /// Writes out what waits.
    ///
    /// # Errors
    /// The log store is unavailable; what waits is kept for the next time.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.writer.lock().await.flush().await
    }

    /// Writes out what waits and seals the streams; `complete` says whether everything printed is there.
    ///
    /// # Errors
    /// The log store stays unavailable after several tries.
    pub async fn close(&self, complete: bool) -> Result<Manifest, StoreError> {
        let mut writer = self.0.writer.lock().await;
        let mut pause = CLOSE_PAUSE;
        for _ in 1..CLOSE_TRIES {
            match writer.seal(complete).await {
                Err(error) if error.is_retryable() => tokio::time::sleep(pause).await,
                ended => return ended,
            }
            pause *= 2;
        }
        writer.seal(complete).await
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

    /// Returns how long nothing was printed.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.with_vitals(|vitals| vitals.last_output.elapsed())
    }

    fn with_vitals<T>(&self, read: impl FnOnce(&mut Vitals) -> T) -> T {
        read(&mut self.0.vitals.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Writer {
    async fn relieve(&mut self) -> Result<(), StoreError> {
        let sending: usize = self.sending.iter().map(|chunk| chunk.bytes.len()).sum();
        let waiting = sending + self.stdout.waiting() + self.events.waiting();
        if waiting < FLUSH_BYTES {
            return Ok(());
        }
        match self.flush().await {
            Err(error) if error.is_retryable() && waiting < MAX_WAITING_BYTES => Ok(()),
            done => {
                self.cut_short |= done.is_err();
                done
            }
        }
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        loop {
            if self.sending.is_empty() {
                self.sending = self.take_waiting();
            }
            if self.sending.is_empty() {
                return Ok(());
            }
            self.logs.append(self.job, self.attempt, &self.sending).await?;
            self.sending.clear();
        }
    }

    /// Events before their index, so that the index never points past what is there.
    fn take_waiting(&mut self) -> Vec<Chunk> {
        let streams = [&mut self.stdout, &mut self.events, &mut self.index];
        streams.into_iter().filter_map(StreamBuffer::take).collect()
    }

    async fn seal(&mut self, complete: bool) -> Result<Manifest, StoreError> {
        self.flush().await?;
        let manifest = Manifest {
            stdout_bytes: self.stdout.end(),
            stdout_sha256: self.stdout.sha256(),
            events_bytes: self.events.end(),
            events_sha256: self.events.sha256(),
            events: self.count,
            complete: complete && !self.cut_short,
        };
        self.logs.seal(self.job, self.attempt, &manifest).await?;
        Ok(manifest)
    }
}
