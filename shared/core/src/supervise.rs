//! Watching over a running job: its lease, its limits, its output, and whether somebody wants it stopped.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::execute::{Limits, StopReason, Worker};
use crate::job::{Job, Lease};
use crate::output::Output;
use crate::ports::StoreError;

/// One running job and everything that may stop it.
pub(crate) struct Supervision<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) job: &'a Job,
    pub(crate) lease: Lease,
    pub(crate) output: &'a Output,
    pub(crate) stop: &'a watch::Sender<Option<StopReason>>,
    pub(crate) limits: Limits,
}

impl Supervision<'_> {
    /// Watches until it is dropped, which is when the job has ended.
    pub(crate) async fn watch(mut self) -> Infallible {
        let started = Instant::now();
        let mut heartbeat = every(self.worker.settings.heartbeat);
        let mut flush = every(self.worker.settings.flush);
        heartbeat.tick().await;
        loop {
            tokio::select! {
                _ = heartbeat.tick() => self.renew().await,
                _ = flush.tick() => {
                    self.flush().await;
                    self.check_limits(started);
                }
            }
        }
    }

    async fn renew(&mut self) {
        let lease = Lease {
            until: self.worker.clock.now() + self.worker.settings.lease,
            ..self.lease
        };
        match self
            .worker
            .store
            .renew(self.job.id, lease, self.output.take_progress())
            .await
        {
            Ok(cancel) => {
                self.lease = lease;
                if let Some(cancel) = cancel {
                    self.request(StopReason::Canceled(cancel));
                }
            }
            Err(StoreError::Conflict | StoreError::NotFound) => self.request(StopReason::LeaseLost),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(job.id = %self.job.id, error, "the lease could not be renewed");
                if self.worker.clock.now() >= self.lease.until {
                    self.request(StopReason::LeaseLost);
                }
            }
        }
    }

    async fn flush(&self) {
        if let Err(error) = self.output.flush().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(job.id = %self.job.id, error, "the output could not be written yet");
        }
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
    }

    /// The first reason stands, except that a lost lease overrules every other.
    fn request(&self, reason: StopReason) {
        self.stop.send_if_modified(|stop| {
            let overrules = reason == StopReason::LeaseLost && *stop != Some(StopReason::LeaseLost);
            let news = stop.is_none() || overrules;
            if news {
                *stop = Some(reason);
            }
            news
        });
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
