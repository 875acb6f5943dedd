//! Somebody who follows a job.

use std::collections::VecDeque;
use std::sync::Arc;

use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use super::Live;
use super::feed::{End, Feed, Taken};
use super::piece::Piece;
use super::place::Place;
use super::reader::{Rest, read};
use super::selection::Selection;
use super::state::State;
use super::stores::{Stores, without_work};

/// Follows one job from a place on: first what the store has, then what comes.
pub(crate) struct Follower {
    stores: Stores,
    job: Job,
    place: Place,
    selection: Selection,
    /// What is read and not delivered.
    pending: VecDeque<Piece>,
    /// The place after that.
    then: Option<Place>,
    source: Source,
    told: Option<Arc<State>>,
    _waiting: OwnedSemaphorePermit,
}

/// Where a follower reads.
enum Source {
    /// In the store, because it is behind.
    Store(Option<(Arc<Feed>, watch::Receiver<()>)>),
    /// In the feed, from a number on.
    Feed(Arc<Feed>, watch::Receiver<()>, u64),
    /// Nowhere: everything is read, and this is how the job has ended, or is.
    Nothing(Option<Arc<State>>),
}

/// What a follower is told.
pub(crate) enum News {
    /// What the job has left.
    Piece(Piece),
    /// A new state of the job, and the one that was told before.
    State(Arc<State>, Option<Arc<State>>),
    /// Nothing more comes.
    End,
}

impl Follower {
    /// Follows what is selected of a job from a place on. `waiting` is its place among the requests that wait.
    pub(crate) async fn new(
        live: &Live,
        job: Job,
        place: Place,
        selection: Selection,
        waiting: OwnedSemaphorePermit,
    ) -> Result<Self, StoreError> {
        let feed = match job.state.status.is_final() {
            true => None,
            false => live.feed(&job, selection).await?,
        };
        let feed = feed.map(|feed| {
            let news = feed.news();
            (feed, news)
        });
        Ok(Self {
            stores: live.stores.clone(),
            job: without_work(job),
            place,
            selection,
            pending: VecDeque::new(),
            then: None,
            source: Source::Store(feed),
            told: None,
            _waiting: waiting,
        })
    }

    /// Returns the place after what was delivered.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Returns whether it stops at the end of one attempt.
    pub(crate) fn is_of_one_attempt(&self) -> bool {
        self.selection.attempt.is_some()
    }

    /// Waits for what comes next. The first that is told is the state of the job. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<News, StoreError> {
        if self.told.is_none() {
            return Ok(self.tell(self.stores.state(&self.job)));
        }
        loop {
            while let Some(piece) = self.pending.pop_front() {
                if self.selection.goes_to(piece.attempt)
                    && let Some(piece) = self.place.pass(piece)
                {
                    return Ok(News::Piece(piece));
                }
            }
            if let Some(then) = self.then.take() {
                self.place = then;
            }
            if let Some(news) = self.look().await? {
                return Ok(news);
            }
        }
    }

    fn tell(&mut self, state: Arc<State>) -> News {
        let before = self.told.replace(state.clone());
        News::State(state, before)
    }

    /// Reads more, or waits for it.
    async fn look(&mut self) -> Result<Option<News>, StoreError> {
        match &mut self.source {
            Source::Nothing(state) => {
                let state = state.take();
                return Ok(Some(state.and_then(|state| self.news_of(state)).unwrap_or(News::End)));
            }
            Source::Store(feed) => {
                if let Some((feed, news)) = feed
                    && let Some(number) = feed.join(self.place)
                {
                    self.source = Source::Feed(feed.clone(), news.clone(), number);
                    return Ok(None);
                }
            }
            Source::Feed(feed, news, number) => {
                news.borrow_and_update();
                match feed.take(*number) {
                    Taken::Pieces(pieces, next) => {
                        self.pending.extend(pieces);
                        *number = next;
                    }
                    Taken::Dropped => self.source = Source::Store(Some((feed.clone(), news.clone()))),
                    Taken::Edge(state, end) => return self.at_the_edge(state, end).await,
                }
                return Ok(None);
            }
        }
        self.read().await
    }

    /// Reads a page of the store.
    async fn read(&mut self) -> Result<Option<News>, StoreError> {
        if !self.job.state.status.is_final() {
            self.job = self.stores.job(self.job.id).await?;
        }
        let page = read(&*self.stores.logs, &self.job, self.selection, self.place).await?;
        self.pending.extend(page.pieces);
        self.then = Some(page.place);
        match page.rest {
            Rest::More => {}
            Rest::NothingYet => {
                if self.pending.is_empty() {
                    let news = self.news_of(self.stores.state(&self.job));
                    if news.is_none() {
                        sleep(self.stores.poll).await;
                    }
                    return Ok(news);
                }
            }
            Rest::Nothing => {
                self.source = Source::Nothing(Some(self.stores.state(&self.job)));
            }
        }
        Ok(None)
    }

    async fn at_the_edge(&mut self, state: Option<Arc<State>>, end: Option<End>) -> Result<Option<News>, StoreError> {
        let is_over = state
            .as_ref()
            .zip(self.selection.attempt)
            .is_some_and(|(state, only)| state.over >= only);
        if let Some(news) = state.and_then(|state| self.news_of(state)) {
            return Ok(Some(news));
        }
        match end {
            Some(End::Failed(why)) => return Err(StoreError::Unavailable(why.into())),
            Some(End::Complete) => self.source = Source::Nothing(None),
            None if is_over => self.source = Source::Nothing(None),
            None => {
                if let Source::Feed(_, news, _) = &mut self.source {
                    // a feed tells its end before it is gone
                    let _told = news.changed().await;
                }
            }
        }
        Ok(None)
    }

    /// Returns a state as news, if it is not known.
    fn news_of(&mut self, state: Arc<State>) -> Option<News> {
        let told = self.told.as_ref();
        let is_known = told
            .is_some_and(|told| told.at >= state.at || told.status == state.status && told.progress == state.progress);
        if is_known { None } else { Some(self.tell(state)) }
    }
}
