//! What a running job has left lately, read once for all who follow the same of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Job;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::piece::Piece;
use super::place::Place;
use super::reader::{Page, Rest, read};
use super::selection::Selection;
use super::state::State;
use super::stores::Stores;
use crate::attempt_log::AttemptLog;

/// How many bytes are kept for followers who are behind; those who are further behind read the store themselves.
const MAX_BYTES: usize = 1024 * 1024;
/// How many bytes and events that a job had left before it was followed are read for all.
const BACKLOG_BYTES: u64 = 256 * 1024;
const BACKLOG_EVENTS: u64 = 200;
/// How many pieces a follower takes at a time.
const AT_A_TIME: usize = 64;

/// The latest pieces of one job.
pub(super) struct Feed {
    latest: Mutex<Latest>,
    /// Changes with the latest pieces.
    news: watch::Sender<()>,
}

struct Latest {
    /// The place before the first piece.
    from: Place,
    /// The number of the first piece; later ones have the numbers after it.
    first: u64,
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// The state of the job when there was nothing more to read.
    state: Option<Arc<State>>,
    end: Option<End>,
}

/// Why nothing more comes.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// The job has ended, and everything is read.
    Complete,
    /// It cannot be read, for the reason told.
    Failed(String),
}

/// What is there for a follower.
pub(super) enum Taken {
    /// These pieces, and the number of the one after them.
    Pieces(Vec<Piece>, u64),
    /// Nothing more than the state of the job, and perhaps the end.
    Edge(Option<Arc<State>>, Option<End>),
    /// Nothing any more: the follower was too slow.
    Dropped,
}

impl Feed {
    /// Begins a feed of a job that has not ended, some way before the end of what it has left.
    pub(super) async fn begin(stores: &Stores, job: &Job, selection: Selection) -> Result<Arc<Self>, StoreError> {
        let mut from = Place::start(job.state.attempt);
        let log = AttemptLog {
            logs: &*stores.logs,
            job: job.id,
            attempt: from.attempt,
        };
        if selection.events {
            from.event = log.events().await?.saturating_sub(BACKLOG_EVENTS);
        }
        if selection.output {
            from.byte = log.output().await?.saturating_sub(BACKLOG_BYTES);
        }
        let latest = Latest {
            from,
            first: 0,
            pieces: VecDeque::new(),
            bytes: 0,
            state: None,
            end: None,
        };
        let feed = Arc::new(Self {
            latest: Mutex::new(latest),
            news: watch::Sender::new(()),
        });
        tokio::spawn(keep_reading(
            Arc::downgrade(&feed),
            stores.clone(),
            job.id,
            selection,
            from,
        ));
        Ok(feed)
    }

    /// Tells when there is more.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Returns the number of the first piece, for a follower who has seen everything before it.
    pub(super) fn join(&self, place: Place) -> Option<u64> {
        let latest = self.latest();
        place.reaches(latest.from).then_some(latest.first)
    }

    /// Returns the pieces from a number on.
    pub(super) fn take(&self, from: u64) -> Taken {
        let latest = self.latest();
        let Some(skipped) = from.checked_sub(latest.first) else {
            return Taken::Dropped;
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let pieces: Vec<Piece> = latest.pieces.iter().skip(skipped).take(AT_A_TIME).cloned().collect();
        match pieces.len() as u64 {
            0 => Taken::Edge(latest.state.clone(), latest.end.clone()),
            count => Taken::Pieces(pieces, from + count),
        }
    }

    /// Returns whether nothing more comes.
    pub(super) fn has_ended(&self) -> bool {
        self.latest().end.is_some()
    }

    fn publish(&self, page: Page, state: Arc<State>) {
        let mut latest = self.latest();
        for piece in page.pieces {
            latest.add(piece);
        }
        if page.rest != Rest::More {
            latest.state = Some(state);
        }
        if page.rest == Rest::Nothing {
            latest.end = Some(End::Complete);
        }
        drop(latest);
        self.news.send_replace(());
    }

    fn fail(&self, error: &StoreError) {
        self.latest().end = Some(End::Failed(causes(error).to_string()));
        self.news.send_replace(());
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    /// Adds a piece, and drops the oldest ones beyond what is kept.
    fn add(&mut self, piece: Piece) {
        self.bytes += piece.size();
        self.pieces.push_back(piece);
        while self.bytes > MAX_BYTES
            && self.pieces.len() > 1
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.bytes -= oldest.size();
            self.first += 1;
            self.from.pass(oldest);
        }
    }
}

/// Reads what comes, as long as anybody follows. The record is read now and then, not whenever the output has grown: it may be large.
async fn keep_reading(feed: Weak<Feed>, stores: Stores, id: JobId, selection: Selection, mut place: Place) {
    let mut seen: Option<Seen> = None;
    loop {
        let grown = stores.logs.grown(id);
        let read = async {
            let seen = match seen.take().filter(|seen| seen.until > Instant::now()) {
                Some(seen) => seen,
                None => Seen::now(&stores, id).await?,
            };
            let page = read(&*stores.logs, &seen.job, selection, place).await?;
            Ok::<_, StoreError>((seen, page))
        };
        let read = read.await;
        let Some(feed) = feed.upgrade() else { return };
        let (now, page) = match read {
            Ok(read) => read,
            Err(error) => {
                feed.fail(&error);
                return;
            }
        };
        let rest = page.rest;
        place = page.place;
        feed.publish(page, now.state.clone());
        drop(feed);
        let until = now.until;
        seen = Some(now);
        match rest {
            Rest::More => {}
            Rest::Nothing => return,
            Rest::NothingYet => tokio::select! {
                () = grown => {}
                () = stores.store.ended(id) => seen = None,
                () = sleep_until(until) => {}
            },
        }
    }
}

/// A job as it was read, and until when that is good enough.
struct Seen {
    job: Job,
    state: Arc<State>,
    until: Instant,
}

impl Seen {
    async fn now(stores: &Stores, id: JobId) -> Result<Self, StoreError> {
        let job = stores.job(id).await?;
        Ok(Self {
            state: stores.state(&job),
            job,
            until: Instant::now() + stores.poll,
        })
    }
}
