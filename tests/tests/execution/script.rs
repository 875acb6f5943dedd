//! A runner that does what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Job, Outcome, Progress};
use callboard_core::output::Output;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_kind_ansible::detail::{Detail, PLAYBOOK_FAILED};
use callboard_kind_ansible::event::Event;
use callboard_kind_ansible::kind;
use callboard_tests::contract::samples::success;
use tokio::sync::Notify;
use tokio::time::timeout;

/// What it prints when it is stopped.
pub(crate) const STOPPED: &str = "stopped\n";
/// The exit code of a job that was stopped.
pub(crate) const STOPPED_RC: i32 = 143;

/// How long a job works for ever: a test that fails should also end.
const PATIENCE: Duration = Duration::from_secs(20);

/// One thing that a job does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Print(&'static str),
    /// Prints what of this is not printed yet.
    PrintRest(&'static str),
    /// Prints this many bytes, 64 KiB at a time.
    Fill(usize),
    Event(u64),
    Report(Progress),
    /// Works without printing; stops when it is told to.
    Work(Duration),
    /// Works and does not hear that it should stop.
    WorkDeaf(Duration),
    /// Works until the test lets it go on; stops when it is told to.
    WorkUntil(Arc<Notify>),
    /// Works until the test lets it go on, and does not hear that it should stop.
    WorkDeafUntil(Arc<Notify>),
    /// Works until it is told to stop.
    WorkForEver,
}

/// Performs its acts one after the other, then ends as said.
pub(crate) struct Script {
    acts: Vec<Act>,
    outcome: Outcome,
    starts: AtomicU32,
    /// How many starts come to nothing, because the machine is short of something.
    short: u32,
    again: Option<Duration>,
    /// How many looks find that it goes on without a worker, and after which pause each is followed by the next.
    detached: (u32, Duration),
}

/// What executes a job that goes on without a worker.
pub(crate) const TASK: &str = "task 1";

impl Script {
    pub(crate) fn new(acts: &[Act]) -> Self {
        Self::ending(acts, success())
    }

    pub(crate) fn ending(acts: &[Act], outcome: Outcome) -> Self {
        Self {
            acts: acts.to_vec(),
            outcome,
            starts: AtomicU32::new(0),
            short: 0,
            again: None,
            detached: (0, Duration::ZERO),
        }
    }

    /// Fails after its acts, so that another attempt may succeed after a pause.
    pub(crate) fn failing_for(pause: Duration, acts: &[Act]) -> Self {
        let outcome = Outcome::failed(Reason::new("http_status"), "The service is busy.");
        Self {
            again: Some(pause),
            ..Self::ending(acts, outcome)
        }
    }

    /// Goes on without a worker for so many looks, then performs its acts.
    pub(crate) fn detached(looks: u32, pause: Duration, acts: &[Act]) -> Self {
        Self {
            detached: (looks, pause),
            ..Self::new(acts)
        }
    }

    /// Cannot start so many times.
    pub(crate) fn after_shortage(starts: u32) -> Self {
        let outcome = Outcome::failed(Reason::RUNNER_ERROR, "The machine is short of something.");
        Self {
            short: starts,
            ..Self::ending(&[], outcome)
        }
    }

    pub(crate) fn starts(&self) -> u32 {
        self.starts.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Runner for Script {
    fn kind(&self) -> &'static str {
        kind::NAME
    }

    async fn run(&self, job: &Job, _work: Object, output: &Output, mut stop: Stop) -> Ended {
        let start = self.starts.fetch_add(1, Ordering::SeqCst);
        let (looks, pause) = self.detached;
        if start < looks {
            let known = job.state.detached.as_deref();
            assert!(known == (start > 0).then_some(TASK), "{known:?}");
            output.report(Progress::default());
            return Ended::detached(TASK.to_owned(), pause);
        }
        for act in &self.acts {
            match act.perform(output, &mut stop).await {
                Ok(false) => {}
                Ok(true) => return stopped(output).await,
                Err(error) => return broken(&error),
            }
        }
        Ended {
            short: start < self.short,
            again: self.again,
            ..Ended::with(self.outcome.clone())
        }
    }
}

impl Act {
    /// Answers whether the job was told to stop.
    async fn perform(&self, output: &Output, stop: &mut Stop) -> Result<bool, StoreError> {
        match self {
            Self::Print(text) => output.stdout(text.as_bytes()).await?,
            Self::PrintRest(text) => {
                let already = usize::try_from(output.size().await).unwrap_or(usize::MAX);
                output.stdout(&text.as_bytes()[already..]).await?;
            }
            Self::Fill(bytes) => fill(output, *bytes).await?,
            Self::Event(counter) => output.event(&event(*counter)).await?,
            Self::Report(progress) => output.report(progress.clone()),
            Self::Work(span) => return Ok(timeout(*span, stop.requested()).await.is_ok()),
            Self::WorkDeaf(span) => tokio::time::sleep(*span).await,
            Self::WorkDeafUntil(gate) => gate.notified().await,
            Self::WorkUntil(gate) => tokio::select! {
                () = gate.notified() => {}
                () = stop.requested() => return Ok(true),
            },
            Self::WorkForEver => return Ok(timeout(PATIENCE, stop.requested()).await.is_ok()),
        }
        Ok(false)
    }
}

/// The bytes that [`Act::Fill`] prints: lines of numbers, so that a lost or doubled piece shows.
pub(crate) fn filling(bytes: usize) -> Vec<u8> {
    let lines = (0..).flat_map(|number: u64| format!("{number:015}\n").into_bytes());
    lines.take(bytes).collect()
}

async fn fill(output: &Output, bytes: usize) -> Result<(), StoreError> {
    for chunk in filling(bytes).chunks(64 * 1024) {
        output.stdout(chunk).await?;
    }
    Ok(())
}

async fn stopped(output: &Output) -> Ended {
    let printed = output.stdout(STOPPED.as_bytes()).await;
    let detail = Detail {
        rc: printed.is_ok().then_some(STOPPED_RC),
        ..Detail::default()
    };
    let outcome = Outcome::failed(PLAYBOOK_FAILED, "It was killed.");
    Ended {
        stopped: true,
        ..Ended::with(detail.onto(outcome))
    }
}

fn broken(error: &StoreError) -> Ended {
    Ended::with(Outcome::failed(Reason::RUNNER_ERROR, error.to_string()))
}

fn event(counter: u64) -> Event {
    Event {
        uuid: format!("uuid-{counter}"),
        counter,
        stdout: format!("event {counter}\n"),
        stdout_truncated: false,
        rescued: false,
        start_line: counter,
        end_line: counter + 1,
        runner_ident: "job".to_owned(),
        event: "runner_on_ok".to_owned(),
        pid: None,
        created: None,
        parent_uuid: None,
        verbosity: None,
        event_data: None,
    }
}
