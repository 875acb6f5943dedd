//! Keeps an answer: all of it in a job's log, as it arrives, and its beginning in memory.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Beginning, Output};
use callboard_core::redact::{Piece, Redactor, Stream};
use http::header::RETRY_AFTER;

use crate::call::Answer;

/// What is kept of an answer's body.
#[derive(Debug, Default)]
pub struct Kept {
    /// Its beginning.
    pub beginning: Beginning,
    /// Why the rest did not arrive, if the service broke the answer off.
    pub broken: Option<String>,
}

impl Answer {
    /// Reads the body to its end, or until the service breaks it off. At most `max_bytes` of it are returned.
    ///
    /// # Errors
    /// The log cannot be written.
    pub async fn keep(
        &mut self,
        max_bytes: u64,
        output: &Output,
        redactor: &Arc<Redactor>,
    ) -> Result<Kept, StoreError> {
        let max = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let (mut kept, mut arrived) = (Kept::default(), 0);
        let mut stream = Stream::<()>::new(Arc::clone(redactor));
        kept.broken = loop {
            let chunk = match self.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break None,
                Err(error) => {
                    break Some(format!(
                        "{}: the answer broke off after {arrived} bytes",
                        causes(&error)
                    ));
                }
            };
            arrived += chunk.len();
            kept.take(stream.push(Piece::Text(chunk.as_ref().into())), max, output)
                .await?;
        };
        kept.take(stream.finish(), max, output).await?;
        Ok(kept)
    }

    /// Returns what the service asks to wait before another try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
        let until = || httpdate::parse_http_date(text).ok();
        let seconds = text.parse().map(Duration::from_secs).ok();
        seconds.or_else(|| Some(until()?.duration_since(SystemTime::now()).unwrap_or_default()))
    }
}

impl Kept {
    /// Returns whether the whole body is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.beginning.truncated && self.broken.is_none()
    }

    async fn take(&mut self, pieces: Vec<Piece<'_, ()>>, max: usize, output: &Output) -> Result<(), StoreError> {
        for piece in pieces {
            let Piece::Text(text) = piece else { continue };
            output.stdout(&text).await?;
            self.beginning.take(&text, max);
        }
        Ok(())
    }
}
