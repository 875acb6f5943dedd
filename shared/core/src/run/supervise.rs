//! Watches over a running job: its lease, its limits, its output, and whether somebody wants it stopped.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::settings::{Limits, WorkerSettings};
use super::stop::StopReason;
use crate::base::causes::causes;
use crate::base::store_error::StoreError;
use crate::base::time::Clock;
use crate::job::{Job, JobStore, Lease};
use crate::output::Output;

/// How long one renewal may take.
const RENEWAL_LIMIT: Duration = Duration::from_secs(5);

/// One running job and everything that may stop it.
pub(crate) struct Supervision<'a> {
    pub(crate) store: &'a dyn JobStore,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) settings: &'a WorkerSettings,
    pub(crate) job: &'a Job,
    /// The lease as the last renewal tried to write it, and when the last renewal that is known to have been written began, by
    /// the worker's clock.
    pub(crate) lease: Mutex<(Lease, Duration)>,
    pub(crate) output: &'a Output,
    pub(crate) stop: &'a watch::Sender<Option<StopReason>>,
    pub(crate) limits: Limits,
}

impl Supervision<'_> {
    /// Watches until it is dropped, when the job has ended. A store that hangs does not delay the other duties.
    pub(crate) async fn watch(&self) -> Infallible {
        tokio::select! {
            never = self.keep_lease() => never,
            never = self.keep_flushing() => never,
            never = self.keep_limits() => never,
        }
    }

    /// Renews the lease until it is dropped. A store that hangs counts as one that does not answer.
    pub(crate) async fn keep_lease(&self) -> Infallible {
        let mut ticks = every(self.settings.heartbeat);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let started = self.clock.elapsed();
            if self.renew(self.next_beat()).await {
                self.lease().1 = started;
            }
        }
    }

    /// Records progress that was not recorded yet, as far as that is possible at once.
    pub(crate) async fn tell_progress(&self) {
        if self.output.has_progress() {
            self.renew(self.next_beat()).await;
        }
    }

    /// Returns the lease with a new beat. Each try has its own beat, because a try whose answer was lost may have been written. If
    /// it were repeated with the same beat, the sweep would count from the first try and this worker from the second.
    fn next_beat(&self) -> Lease {
        let mut lease = self.lease();
        lease.0 = lease.0.renewed();
        lease.0
    }

    /// Returns whether another worker may soon take the lease, because it has not been renewed for too long.
    fn is_due_to_be_lost(&self) -> bool {
        let unrenewed = self.clock.elapsed().saturating_sub(self.lease().1);
        self.settings.lease.is_some_and(|limit| unrenewed >= limit)
    }

    /// Handles the loss of the lease. A job that may run again is stopped before it runs twice at the same time, and one with a concurrency
    /// key before another one has the key. Any other job goes on, because being killed in the middle of its work is worse for it; nothing
    /// more of it is written.
    fn lose(&self) {
        if self.job.state.detached.is_some() {
            // another worker looks at it, and writes the same log
            self.output.discard();
            self.request(StopReason::LeaseLost);
        } else if self.must_not_outlive_its_lease() {
            self.request(StopReason::LeaseLost);
        } else if self.output.discard() {
            tracing::warn!(
                "the lease was lost; the job may run only once, so it goes on, but nothing more of it is written"
            );
        }
    }

    /// Returns whether something else would run at the same time if the job went on without its lease.
    fn must_not_outlive_its_lease(&self) -> bool {
        self.job.may_run_again() || self.job.request.options.concurrency_key.is_some()
    }

    fn lease(&self) -> MutexGuard<'_, (Lease, Duration)> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_flushing(&self) -> Infallible {
        loop {
            self.output.grown().await;
            sleep(self.settings.flush).await;
            while !self.flush().await {
                sleep(self.settings.look).await;
            }
        }
    }

    async fn keep_limits(&self) -> Infallible {
        let started = Instant::now();
        let mut ticks = every(self.settings.look);
        loop {
            ticks.tick().await;
            self.check_limits(started);
        }
    }

    /// Renews the lease once; returns whether the renewal is known to have happened.
    async fn renew(&self, renewed: Lease) -> bool {
        let progress = self.output.take_progress();
        let renewing = self.store.renew(self.job.id, renewed, progress.clone());
        match tokio::time::timeout(RENEWAL_LIMIT, renewing).await {
            Ok(Ok(cancel)) => {
                if let Some(cancel) = cancel {
                    self.request(StopReason::Canceled(cancel));
                }
                return true;
            }
            Ok(Err(StoreError::Conflict | StoreError::NotFound)) => self.lose(),
            Ok(Err(error)) => {
                let error = causes(&error);
                tracing::warn!(%error, "the lease could not be renewed");
                self.output.restore_progress(progress);
            }
            Err(_) => {
                tracing::warn!("the store does not answer, so the lease could not be renewed");
                self.output.restore_progress(progress);
            }
        }
        false
    }

    /// Writes out what waits; returns whether that is done.
    async fn flush(&self) -> bool {
        let flushed = self.output.flush().await;
        if let Err(error) = &flushed {
            let error = causes(error);
            tracing::warn!(%error, "the output could not be written yet");
        }
        flushed.is_ok()
    }

    fn check_limits(&self, started: Instant) {
        let options = &self.job.request.options;
        if let Some(limit) = options.timeout().filter(|limit| started.elapsed() >= *limit) {
            self.request(StopReason::Timeout(limit));
        } else if let Some(limit) = options.idle_timeout().filter(|limit| self.output.silence() >= *limit) {
            self.request(StopReason::IdleTimeout(limit));
        } else if self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.request(StopReason::Deadline);
        } else if *self.limits.shutdown.borrow() {
            self.request(StopReason::Shutdown);
        }
        if self.must_not_outlive_its_lease() && self.is_due_to_be_lost() {
            self.request(StopReason::LeaseLost);
        }
    }

    /// Asks the job to stop. The first reason stands, except that a lost lease overrules every other.
    fn request(&self, reason: StopReason) {
        self.stop.send_if_modified(|stop| {
            let overrules = reason == StopReason::LeaseLost && *stop != Some(StopReason::LeaseLost);
            let news = stop.is_none() || overrules;
            if news {
                *stop = Some(reason);
            }
            news
        });
        self.output.hurry();
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
