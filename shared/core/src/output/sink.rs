//! Writes what a job prints: buffered, in numbered segments, hashed, bounded, and in the same way whatever its size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio::time::timeout;

use super::manifest::Manifest;
use super::store::LogStore;
use super::writer::{OutputLimits, Writer};
use super::written::Written;
use crate::base::id::JobId;
use crate::base::store_error::StoreError;
use crate::job::Progress;

/// A buffer of this size is written without waiting for the next flush.
const FLUSH_BYTES: usize = 256 * 1024;
/// How much output may wait in memory while the log store is unavailable. Beyond that, the job waits.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a pause is told from silence.
const WAKING: Duration = Duration::from_secs(1);

/// The output of one attempt. Clones write to the same streams.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

struct Shared {
    writer: Mutex<Writer>,
    vitals: std::sync::Mutex<Vitals>,
    /// Tells that something waits to be written.
    grown: Notify,
    /// Whether the job is being stopped, so that it no longer waits for the log store.
    hurried: watch::Sender<bool>,
    /// Whether output is no longer kept.
    discarded: Arc<AtomicBool>,
}

struct Vitals {
    last_output: Instant,
    progress: Option<Progress>,
    /// How many events were numbered.
    events: u64,
}

impl Output {
    /// Starts the streams of an attempt.
    #[must_use]
    pub fn new(logs: Arc<dyn LogStore>, job: JobId, attempt: u32, limits: OutputLimits) -> Self {
        Self::after(Written::default(), logs, job, attempt, limits)
    }

    /// Goes on with the streams of an attempt after what is written of them.
    ///
    /// # Errors
    /// The log store is unavailable.
    pub async fn resume(
        logs: Arc<dyn LogStore>,
        job: JobId,
        attempt: u32,
        limits: OutputLimits,
    ) -> Result<Self, StoreError> {
        let written = Written::of(&*logs, job, attempt).await?;
        Ok(Self::after(written, logs, job, attempt, limits))
    }

    fn after(written: Written, logs: Arc<dyn LogStore>, job: JobId, attempt: u32, limits: OutputLimits) -> Self {
        let discarded = Arc::<AtomicBool>::default();
        let events = written.events();
        let writer = Writer::new(logs, job, attempt, limits, Arc::clone(&discarded), written);
        let vitals = Vitals {
            last_output: Instant::now(),
            progress: None,
            events,
        };
        Self(Arc::new(Shared {
            writer: Mutex::new(writer),
            vitals: std::sync::Mutex::new(vitals),
            grown: Notify::new(),
            hurried: watch::Sender::new(false),
            discarded,
        }))
    }

    /// Adds bytes to the job's output. Waits while the log store is unavailable and too much output is waiting for it.
    ///
    /// # Errors
    /// The log store refuses the write.
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
    pub async fn event(&self, event: &impl Serialize) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(event).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        line.push(b'\n');
        let mut writer = self.0.writer.lock().await;
        writer.record(&line);
        self.relieve(writer).await
    }

    /// Returns the counter of the next event: 1, 2, 3, for whoever writes events in the job's stead.
    #[must_use]
    pub fn number_event(&self) -> u64 {
        self.with_vitals(|vitals| {
            vitals.events += 1;
            vitals.events
        })
    }

    /// Returns how many events were numbered, those that were there before included.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.with_vitals(|vitals| vitals.events)
    }

    /// Waits until something was added since the last call returned. One caller at a time.
    pub(crate) async fn grown(&self) {
        self.0.grown.notified().await;
    }

    /// Writes out the waiting output.
    ///
    /// # Errors
    /// The log store is unavailable; the waiting output is kept for the next time.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.writer.lock().await.flush().await
    }

    /// Writes out the waiting output and seals the streams, retrying for up to `patience` while the log store is unavailable.
    /// `complete` says whether everything printed is there.
    ///
    /// # Errors
    /// The log store stays unavailable, or refuses the write.
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

    /// Stops waiting for the log store; output that no longer fits in memory while the store is unavailable is dropped.
    pub(crate) fn hurry(&self) {
        self.0.hurried.send_replace(true);
    }

    /// Keeps nothing from now on, because the log belongs to another worker. Returns whether it was this worker's until now.
    pub(crate) fn discard(&self) -> bool {
        !self.0.discarded.swap(true, Ordering::Relaxed)
    }

    /// Records how far the job has got.
    pub fn report(&self, progress: Progress) {
        self.with_vitals(|vitals| vitals.progress = Some(progress));
    }

    /// Returns the last reported progress, once.
    #[must_use]
    pub fn take_progress(&self) -> Option<Progress> {
        self.with_vitals(|vitals| vitals.progress.take())
    }

    /// Returns whether there is progress that was not taken yet.
    pub(crate) fn has_progress(&self) -> bool {
        self.with_vitals(|vitals| vitals.progress.is_some())
    }

    /// Puts back progress that could not be recorded, unless there is newer progress.
    pub(crate) fn restore_progress(&self, progress: Option<Progress>) {
        self.with_vitals(|vitals| vitals.progress = vitals.progress.take().or(progress));
    }

    /// Returns how many bytes of the printed output are kept.
    pub async fn size(&self) -> u64 {
        self.0.writer.lock().await.size()
    }

    /// Returns how long the job has printed nothing. A job that waits for the log store is not silent.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.with_vitals(|vitals| vitals.last_output.elapsed())
    }

    /// Waits, in the job's stead: such a pause is no silence of the job.
    pub async fn pause(&self, span: Duration) {
        let started = Instant::now();
        while let Some(left) = span.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
            tokio::time::sleep(left.min(WAKING)).await;
            self.touch();
        }
    }

    async fn relieve(&self, mut writer: MutexGuard<'_, Writer>) -> Result<(), StoreError> {
        let (mut pause, mut hurried) = (FIRST_PAUSE, self.0.hurried.subscribe());
        self.0.grown.notify_one();
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
                    writer.cut_short();
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
