//! The keys of an issuer, kept. It is asked again before they expire, beside what goes on, and once however many need it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::time::Clock;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::fetch::{Fetched, Source};
use crate::jwk::Keys;

/// How long keys are used after their time, while their issuer cannot be reached.
const USED_STALE: Duration = Duration::from_secs(24 * 3600);
/// How long an issuer that could not be reached is left alone.
const PAUSE: Duration = Duration::from_secs(10);
/// How long it is known from a failure that an issuer cannot be reached. After that, whoever has only keys after their time waits for it.
const DOWN: Duration = Duration::from_secs(300);
/// How often an issuer is asked for a key that it is not known to have. Anybody can make up names of keys.
const SEEK_PAUSE: Duration = Duration::from_secs(30);

/// An issuer and its keys.
pub(crate) struct Issuer {
    source: Source,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// Why the issuer could not be reached last, and when that was.
    failure: Option<(Duration, Arc<Failure>)>,
    /// When it was last asked for a key that was not known.
    sought: Option<Duration>,
    /// The request that is under way; its sender is gone when it is over.
    asking: Option<watch::Receiver<()>>,
}

/// Keys, and the times, by the clock that never goes back, when something becomes of them.
#[derive(Clone)]
struct Kept {
    keys: Arc<Keys>,
    renewed_at: Duration,
    stale_at: Duration,
    gone_at: Duration,
}

/// What is done for somebody who needs keys.
enum Step {
    Use(Arc<Keys>),
    Fail(Arc<Failure>),
    Wait(watch::Receiver<()>),
}

impl Issuer {
    /// Makes an issuer without keys; it is not asked for any yet.
    pub(crate) fn new(source: Source, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            state: Mutex::default(),
        }
    }

    /// Returns the keys. Whoever can use some that are kept does not wait.
    ///
    /// # Errors
    /// There are none, and the issuer cannot be reached.
    pub(crate) async fn keys(self: &Arc<Self>) -> Result<Arc<Keys>, Arc<Failure>> {
        match self.step() {
            Step::Use(keys) => Ok(keys),
            Step::Fail(failure) => Err(failure),
            Step::Wait(asking) => {
                over(asking).await;
                self.outcome()
            }
        }
    }

    /// Returns the keys after the issuer was asked once more, since one is missing. If it was asked for such a one within the last half
    /// minute, the keys are those that are known.
    ///
    /// # Errors
    /// The issuer could not be reached, so that it is not known whether it has the key.
    pub(crate) async fn keys_anew(self: &Arc<Self>) -> Result<Arc<Keys>, Arc<Failure>> {
        if let Some(asking) = self.seek() {
            over(asking).await;
        }
        let failure = self.state().failure.as_ref().map(|(_, failure)| Arc::clone(failure));
        failure.map_or_else(|| self.outcome(), Err)
    }

    fn step(self: &Arc<Self>) -> Step {
        let (mut state, now) = (self.state(), self.clock.elapsed());
        let failed = state.failure.clone();
        let down_for = failed.as_ref().map(|(at, _)| now.saturating_sub(*at));
        let may_ask = down_for.is_none_or(|span| span >= PAUSE);
        match state.kept.clone().filter(|kept| now < kept.gone_at) {
            Some(kept) if now < kept.renewed_at => Step::Use(kept.keys),
            Some(kept) if now < kept.stale_at || down_for.is_some_and(|span| span < DOWN) => {
                if may_ask {
                    self.ask(&mut state);
                }
                Step::Use(kept.keys)
            }
            Some(_) => Step::Wait(self.ask(&mut state)),
            None => match failed {
                Some((_, failure)) if !may_ask => Step::Fail(failure),
                _ => Step::Wait(self.ask(&mut state)),
            },
        }
    }

    fn seek(self: &Arc<Self>) -> Option<watch::Receiver<()>> {
        let (mut state, now) = (self.state(), self.clock.elapsed());
        if let Some(asking) = state.under_way() {
            return Some(asking);
        }
        let may_ask = state.sought.is_none_or(|at| now.saturating_sub(at) >= SEEK_PAUSE);
        may_ask.then(|| {
            state.sought = Some(now);
            self.ask(&mut state)
        })
    }

    /// Returns the request that is under way, or begins one. It goes on when those who wait for it give up.
    fn ask(self: &Arc<Self>, state: &mut State) -> watch::Receiver<()> {
        if let Some(asking) = state.under_way() {
            return asking;
        }
        let (done, asking) = watch::channel(());
        state.asking = Some(asking.clone());
        let (issuer, asked_at) = (Arc::clone(self), self.clock.elapsed());
        tokio::spawn(async move {
            let fetched = issuer.source.fetch().await;
            issuer.keep(fetched, asked_at);
            drop(done);
        });
        asking
    }

    fn keep(&self, fetched: Result<Fetched, Failure>, asked_at: Duration) {
        let mut state = self.state();
        match fetched {
            Ok(fetched) => {
                state.kept = Some(Kept::new(fetched, asked_at));
                state.failure = None;
            }
            Err(failure) => {
                let issuer = self.source.issuer();
                tracing::warn!(issuer, error = %causes(&failure), "an issuer of tokens does not tell its keys");
                state.failure = Some((self.clock.elapsed(), Arc::new(failure)));
            }
        }
    }

    /// Returns what there is after a request.
    fn outcome(&self) -> Result<Arc<Keys>, Arc<Failure>> {
        let (state, now) = (self.state(), self.clock.elapsed());
        if let Some(kept) = state.kept.as_ref().filter(|kept| now < kept.gone_at) {
            return Ok(Arc::clone(&kept.keys));
        }
        let failure = state.failure.as_ref().map(|(_, failure)| Arc::clone(failure));
        Err(failure.unwrap_or_else(|| Arc::new(Failure::GivenUp)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn under_way(&self) -> Option<watch::Receiver<()>> {
        self.asking.clone().filter(|asking| asking.has_changed().is_ok())
    }
}

impl Kept {
    fn new(fetched: Fetched, asked_at: Duration) -> Self {
        let stale_at = asked_at + fetched.lifetime;
        Self {
            keys: Arc::new(fetched.keys),
            renewed_at: asked_at + fetched.lifetime * 3 / 4,
            stale_at,
            gone_at: stale_at + USED_STALE,
        }
    }
}

/// Waits until a request is over.
async fn over(mut asking: watch::Receiver<()>) {
    while asking.changed().await.is_ok() {}
}
