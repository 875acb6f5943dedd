//! What jobs leave, as it comes: read once for each running job, however many follow it.

mod feed;
mod follower;
mod piece;
mod place;
mod reader;
mod selection;
mod state;
mod stores;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::job::{Job, JobStore};
use callboard_core::output::LogStore;

use self::feed::Feed;
pub(crate) use self::follower::{Follower, News};
pub(crate) use self::piece::{Part, Piece};
pub(crate) use self::place::{NOT_A_CURSOR, Place};
pub(crate) use self::selection::Selection;
use self::stores::Stores;

/// The feeds of jobs that are followed, by what they have.
type Feeds = Arc<Mutex<HashMap<(JobId, Selection), Weak<Feed>>>>;

/// The jobs that are followed.
#[derive(Clone)]
pub struct Live {
    stores: Stores,
    feeds: Option<Feeds>,
}

impl Live {
    /// Lets many follow jobs. `poll` says how often to look at what does not tell that it has changed.
    #[must_use]
    pub fn new(store: Arc<dyn JobStore>, logs: Arc<dyn LogStore>, clock: Arc<dyn Clock>, poll: Duration) -> Self {
        Self {
            feeds: Some(Arc::default()),
            ..Self::alone(store, logs, clock, poll)
        }
    }

    /// Lets one at a time follow jobs: nobody shares what it reads, so only that is read which it wants.
    #[must_use]
    pub fn alone(store: Arc<dyn JobStore>, logs: Arc<dyn LogStore>, clock: Arc<dyn Clock>, poll: Duration) -> Self {
        let stores = Stores {
            store,
            logs,
            clock,
            poll,
        };
        Self { stores, feeds: None }
    }

    /// Returns the feed of a job that has not ended, with what is selected of all its attempts: the one that others follow, or a new one.
    async fn feed(&self, job: &Job, selection: Selection) -> Result<Option<Arc<Feed>>, StoreError> {
        let Some(feeds) = &self.feeds else { return Ok(None) };
        let key = (job.id, selection.of_all_attempts());
        let known = || {
            let feeds = feeds.lock().unwrap_or_else(PoisonError::into_inner);
            let feed = feeds.get(&key).and_then(Weak::upgrade);
            feed.filter(|feed| !feed.has_ended())
        };
        if let Some(feed) = known() {
            return Ok(Some(feed));
        }
        let begun = Feed::begin(&self.stores, job, key.1).await?;
        // of two who come at the same time, the second follows the first one's
        if let Some(feed) = known() {
            return Ok(Some(feed));
        }
        let mut feeds = feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        feeds.insert(key, Arc::downgrade(&begun));
        Ok(Some(begun))
    }
}
