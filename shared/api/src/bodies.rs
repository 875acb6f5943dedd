//! Limits the memory for large request bodies.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Kind, Problem};

/// The largest body that is always admitted and parsed right away. Jobs can be submitted even while large bodies are being received.
pub(crate) const SMALL_BYTES: usize = 16 * 1024;

/// Limits the memory that large bodies use at the same time. Clones share the limit.
#[derive(Clone, Debug)]
pub struct Bodies {
    room: Arc<Semaphore>,
    /// One large body is parsed and checked at a time: the parsed values take more memory than the text, and parsing takes CPU time.
    turn: Arc<Semaphore>,
}

impl Bodies {
    /// Admits large bodies of up to `bytes` bytes in total.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Reserves room for a body, unless it is small.
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

    /// Gives back the room that a body turned out not to take.
    pub(crate) fn keep(room: Option<OwnedSemaphorePermit>, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let mut room = room?;
        let kept = if bytes > SMALL_BYTES { bytes } else { 0 };
        room.split(kept.min(room.num_permits()))
            .filter(|room| room.num_permits() > 0)
    }

    /// Waits until a large body may be parsed.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turn).acquire_owned().await.ok()
    }
}
