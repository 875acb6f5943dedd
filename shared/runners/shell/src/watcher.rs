//! Watches a program through its launcher, moves what it prints, and stops it when it is time to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use callboard_core::output::{Beginning, LastBytes, Output};
use callboard_core::redact::Redactor;
use callboard_core::run::Stop;
use callboard_process::JobFolder;
use callboard_sandbox::{Command, Ending, Failure, Report};
use tokio::time::{Instant, sleep_until, timeout};

use crate::launched::{Launched, Pipes};
use crate::printed::{Unmoved, move_all};

/// How long the rest of the output is waited for when everything has ended.
const REST_LIMIT: Duration = Duration::from_secs(10);

/// How long a program that is killed has to end.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Watches a program.
pub(crate) struct Watcher<'a> {
    pub(crate) output: &'a Output,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) folder: &'a JobFolder,
    /// How long a program that is to stop has for that.
    pub(crate) grace: Duration,
    /// How long it may run.
    pub(crate) limit: Duration,
}

/// What was seen of a program.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) isolation: Vec<String>,
    pub(crate) ended: Option<Ending>,
    pub(crate) unstarted: Option<Failure>,
    /// Whether it was being stopped when it ended, because the job was to stop.
    pub(crate) stopped: bool,
    /// Whether it ran for longer than it may.
    pub(crate) timed_out: bool,
}

/// What a program has printed.
#[derive(Default)]
pub(crate) struct Printed {
    pub(crate) stdout: Beginning,
    pub(crate) stderr: LastBytes,
}

impl Seen {
    /// Notes the last reports.
    async fn note_rest(&mut self, launched: &mut Launched) -> io::Result<()> {
        while let Some(report) = launched.report().await? {
            self.note(report);
        }
        Ok(())
    }

    fn note(&mut self, report: Report) {
        match report {
            Report::Started(isolation) => self.isolation = isolation,
            Report::Unstarted(failure) => self.unstarted = Some(failure),
            Report::Ended(ending) => self.ended = Some(ending),
            Report::Probed(_) => {}
        }
    }
}

impl Watcher<'_> {
    /// Watches until the program and its output have ended.
    pub(crate) async fn watch(
        &self,
        mut launched: Launched,
        pipes: Pipes,
        stop: Stop,
        printed: &mut Printed,
    ) -> Result<Seen, Unmoved> {
        let mut seen = Seen::default();
        let moved = async {
            tokio::try_join!(
                move_all(pipes.stdout, self.output, self.redactor, &mut printed.stdout),
                move_all(pipes.stderr, self.output, self.redactor, &mut printed.stderr),
            )
        };
        tokio::pin!(moved);
        let mut all_is_moved = None;
        {
            let followed = self.follow(&mut launched, &mut seen, stop);
            tokio::pin!(followed);
            tokio::select! {
                followed = &mut followed => followed?,
                done = &mut moved => {
                    // a program may close its output long before it ends
                    if done.is_ok() {
                        followed.await?;
                    }
                    all_is_moved = Some(done);
                }
            }
        }
        // whose output could not be kept, and who does not answer, is ended by this
        launched.command(Command::Kill).await;
        if let Err(_elapsed) = timeout(SILENCE_LIMIT, seen.note_rest(&mut launched)).await {
            tracing::warn!("the launcher's process for a job does not end");
        }
        drop(launched);
        if seen.ended.is_none() && seen.unstarted.is_none() {
            self.folder.end_processes().await;
        }
        match all_is_moved {
            Some(done) => done.map(drop)?,
            None => match timeout(REST_LIMIT, moved).await {
                Ok(done) => done.map(drop)?,
                Err(_) => tracing::warn!("something that a job has left holds its output; the rest of it is not kept"),
            },
        }
        Ok(seen)
    }

    /// Follows the launcher's reports, and stops the program when it is time to.
    async fn follow(&self, launched: &mut Launched, seen: &mut Seen, mut stop: Stop) -> io::Result<()> {
        let mut time_is_over = Some(Instant::now() + self.limit);
        let mut grace_is_over = None;
        loop {
            tokio::select! {
                report = launched.report() => match report? {
                    Some(report) => seen.note(report),
                    None => return Ok(()),
                },
                () = stop.requested(), if !seen.stopped => {
                    seen.stopped = true;
                    if time_is_over.take().is_some() {
                        grace_is_over = Some(self.terminate(launched).await);
                    }
                }
                () = at(time_is_over) => {
                    seen.timed_out = true;
                    time_is_over = None;
                    grace_is_over = Some(self.terminate(launched).await);
                }
                () = at(grace_is_over) => return Ok(()),
            }
        }
    }

    /// Asks the program to end; returns until when it has time for that.
    async fn terminate(&self, launched: &mut Launched) -> Instant {
        launched.command(Command::Terminate).await;
        Instant::now() + self.grace
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
