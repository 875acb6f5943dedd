//! Streams output as the body of an answer.

use std::ops::Range;

use axum::body::Body;
use bytes::Bytes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use callboard_core::output::LogKey;
use futures_util::stream::{Stream, TryStreamExt, try_unfold};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::LogFormat;
use super::plain::Plain;
use crate::app::App;
use crate::live::{Follower, News, Part, Place, Selection};
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

/// Output that is followed until it is complete.
pub(super) struct Following {
    app: App,
    follower: Follower,
    sent: u64,
    /// When the answer must have ended.
    until: Option<Instant>,
}

impl Following {
    /// Follows a job from a place on; `wanted` is the attempt whose output is wanted alone.
    pub(super) async fn new(
        app: App,
        job: Job,
        place: Place,
        wanted: Wanted,
        waiting: OwnedSemaphorePermit,
    ) -> Result<Self, StoreError> {
        let selection = Selection {
            attempt: wanted.0,
            output: true,
            events: false,
        };
        Ok(Self {
            follower: Follower::new(&app.live, job, place, selection, waiting).await?,
            until: app.settings.answers.map(|limits| Instant::now() + limits.max_time),
            app,
            sent: 0,
        })
    }

    /// Streams the existing output and then new output, until it is complete or the limits of the answer are reached.
    pub(super) fn stream(self) -> impl Stream<Item = Result<Bytes, StoreError>> {
        try_unfold(self, |mut following| async move {
            let bytes = following.next().await?;
            Ok(bytes.map(|bytes| (bytes, following)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        while let Some(left) = self.left() {
            let news = tokio::select! {
                news = self.follower.next() => news?,
                () = self.app.followers.stopped() => return Ok(None),
                () = reached(self.until) => return Ok(None),
            };
            match news {
                News::Piece(piece) => {
                    if let Part::Output { mut bytes, .. } = piece.part {
                        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                        self.sent += bytes.len() as u64;
                        return Ok(Some(bytes));
                    }
                }
                News::State(..) => {}
                News::End => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns how many more bytes the answer may have, if any.
    fn left(&self) -> Option<u64> {
        let limits = self.app.settings.answers;
        let left = limits.map_or(u64::MAX, |limits| limits.max_bytes.saturating_sub(self.sent));
        (left > 0).then_some(left)
    }
}

/// Waits until an instant, forever if there is none.
async fn reached(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
