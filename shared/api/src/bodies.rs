//! Room for large bodies.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Kind, Problem};

/// A body that is no larger is never one too many, and is parsed at once: jobs can be submitted while large bodies come.
pub(crate) const SMALL_BYTES: usize = 16 * 1024;

/// What large bodies may take of memory at the same time. Clones share it.
#[derive(Clone, Debug)]
pub struct Bodies {
    room: Arc<Semaphore>,
    /// One is parsed and checked at a time: values take more memory than their text, and the processor.
    turn: Arc<Semaphore>,
}

impl Bodies {
    /// Lets large bodies of so many bytes in all be there.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Takes room for a body, unless it is small.
    pub(crate) fn admit(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        if bytes <= SMALL_BYTES {
            return Ok(None);
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).try_acquire_many_owned(permits);
        permit.map(Some).map_err(|_| {
            let detail = "Too many large requests are being received. Try again in a moment.";
            Problem::new(Kind::TooManyBodies, detail)
        })
    }

    /// Waits for the turn of a large body.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).acquire_owned().await.ok()
    }
}
