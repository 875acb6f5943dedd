//! Streams output as the body of an answer.

use std::ops::Range;
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::output::{LogKey, Stream as LogStream};
use futures_util::stream::{Stream, TryStreamExt, try_unfold};
use tokio::sync::OwnedSemaphorePermit;

use super::LogFormat;
use super::plain::Plain;
use crate::app::App;
use crate::wanted::Wanted;

/// Makes a body from output, in the given format.
pub(super) fn body(output: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static, format: LogFormat) -> Body {
    if format == LogFormat::Raw {
        return Body::from_stream(output);
    }
    let mut state = Plain::default();
    let text = output.try_filter_map(move |chunk| {
        let text = state.of(&chunk);
        async move { Ok(Some(text).filter(|text| !text.is_empty())) }
    });
    Body::from_stream(text)
}

/// Streams a range that is known to exist.
pub(super) fn range(app: App, key: LogKey, range: Range<u64>) -> impl Stream<Item = Result<Bytes, StoreError>> {
    try_unfold((app, range), move |(app, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let chunk = range.start..range.end.min(range.start + app.settings.chunk_bytes);
        let bytes = app.logs.read(key, chunk).await?;
        let next = range.start + bytes.len() as u64..range.end;
        Ok(Some((bytes, (app, next))).filter(|(bytes, _)| !bytes.is_empty()))
    })
}

/// A reader that follows output until it is complete.
pub(super) struct Follower {
    app: App,
    job: Job,
    wanted: Wanted,
    attempt: u32,
    offset: u64,
    sent: u64,
    started: Instant,
    _waiting: OwnedSemaphorePermit,
}

impl Follower {
    /// Starts at a byte of the wanted attempt.
    pub(super) fn new(app: App, job: Job, wanted: Wanted, offset: u64, waiting: OwnedSemaphorePermit) -> Self {
        Self {
            attempt: wanted.number(&job),
            app,
            job,
            wanted,
            offset,
            sent: 0,
            started: Instant::now(),
            _waiting: waiting,
        }
    }

    /// Streams the existing output and then new output, until it is complete or the limits of the answer are reached.
    pub(super) fn stream(self) -> impl Stream<Item = Result<Bytes, StoreError>> {
        try_unfold(self, |mut follower| async move {
            let bytes = follower.next().await?;
            Ok(bytes.map(|bytes| (bytes, follower)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let bytes = self.read().await?;
            if !bytes.is_empty() {
                self.offset += bytes.len() as u64;
                self.sent += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            if self.left() == 0 {
                return Ok(None);
            }
            if self.wanted.0.is_none() && self.attempt < self.job.state.attempt {
                // this attempt has no more output
                self.attempt += 1;
                self.offset = 0;
            } else if self.wanted.is_over(&self.job) {
                return Ok(None);
            } else {
                tokio::time::sleep(self.app.settings.poll).await;
                self.job = self.app.store.get(self.job.id, self.app.clock.now()).await?;
            }
        }
    }

    async fn read(&self) -> Result<Bytes, StoreError> {
        let key = LogKey {
            job: self.job.id,
            attempt: self.attempt,
            stream: LogStream::Stdout,
        };
        let length = self.app.settings.chunk_bytes.min(self.left());
        self.app
            .logs
            .read(key, self.offset..self.offset.saturating_add(length))
            .await
    }

    /// Returns how many more bytes the answer may have.
    fn left(&self) -> u64 {
        match self.app.settings.answers {
            Some(limits) if self.started.elapsed() >= limits.max_time => 0,
            Some(limits) => limits.max_bytes.saturating_sub(self.sent),
            None => u64::MAX,
        }
    }
}
