//! The runners that execute jobs, and the list of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::stop::Stop;
use crate::base::object::Object;
use crate::job::{Job, Outcome};
use crate::output::Output;
use crate::request::Reason;

/// Executes jobs of one kind.
#[async_trait]
pub trait Runner: Send + Sync {
    /// Returns the name of the kind.
    fn kind(&self) -> &'static str;

    /// Returns whether its jobs may go on without a worker, see [`Runner::run`].
    fn detaches(&self) -> bool {
        false
    }

    /// Runs a claimed job to its end, or until `stop` says so, and leaves nothing of it running. `work` is that of the job's request,
    /// which may be large and is not kept for longer than the runner needs it.
    ///
    /// The outcome of a job that was stopped is what it would have been without the stop; `stopped` says which it is.
    ///
    /// A runner may also start something that goes on without the worker, and return [`Ended::detached`]. It is then called again with the
    /// same attempt, and `job.state.detached` names what it has started. Until the last of these calls it prints nothing; and that may come
    /// twice: then, `output` says how much of it is printed already.
    async fn run(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended;
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The outcome, read without regard to `stop`.
    pub outcome: Outcome,
    /// True when the runner had begun to stop the job before it ended.
    pub stopped: bool,
    /// What the job was doing when it was stopped, in sentences.
    pub doing: Option<String>,
    /// True when nothing of the job was started, because the machine was short of open files, memory or processes.
    pub short: bool,
    /// Set when the job failed, another attempt may end differently, and starting it does no harm: after this pause. Such an
    /// attempt does not count toward `max_attempts`.
    pub again: Option<Duration>,
    /// What that attempt has to know of this one, as the kind has it.
    pub left: Object,
    /// Set when the attempt goes on without the worker; there is no outcome yet.
    pub detached: Option<Detached>,
}

/// An attempt that goes on without a worker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Detached {
    /// What executes it, such as the ARN of a task.
    pub by: String,
    /// After which pause a worker is to look at it, unless it is queued before, by an event that tells its end.
    pub pause: Duration,
}

impl Ended {
    /// Makes the end of a job that ended by itself.
    #[must_use]
    pub fn with(outcome: Outcome) -> Self {
        Self {
            outcome,
            stopped: false,
            doing: None,
            short: false,
            again: None,
            left: Object::default(),
            detached: None,
        }
    }

    /// Makes the return from a job that goes on without the worker.
    #[must_use]
    pub fn detached(by: String, pause: Duration) -> Self {
        Self {
            detached: Some(Detached { by, pause }),
            ..Self::with(Outcome::successful())
        }
    }
}

/// The runners of a worker.
#[derive(Clone)]
pub struct Runners {
    all: Arc<[Arc<dyn Runner>]>,
    /// Whether the first runner takes the jobs that name no kind.
    has_first: bool,
}

impl Runners {
    /// Makes a list. The first runner takes the jobs that name no kind.
    #[must_use]
    pub fn new(runners: Vec<Arc<dyn Runner>>) -> Self {
        Self {
            all: runners.into(),
            has_first: true,
        }
    }

    /// Makes a list without the runner of the first kind: jobs that name no kind fail.
    #[must_use]
    pub fn without_first(runners: Vec<Arc<dyn Runner>>) -> Self {
        Self {
            all: runners.into(),
            has_first: false,
        }
    }

    /// Runs a job with the runner of its kind; a job of any other kind fails.
    pub(super) async fn run(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended {
        let kind = job.request.kind.as_deref();
        let takes = |runner: &&Arc<dyn Runner>| kind.map_or(self.has_first, |kind| kind == runner.kind());
        let runner = self.all.iter().find(takes);
        if let Some(runner) = runner {
            return runner.run(job, work, output, stop).await;
        }
        let known: Vec<&str> = self.all.iter().map(|runner| runner.kind()).collect();
        let what = kind.map_or_else(|| "without a kind".to_owned(), |kind| format!("of kind {kind:?}"));
        let error = format!(
            "This worker cannot run jobs {what}, only of {}; run the job on a worker of the release that accepted it.",
            known.join(", ")
        );
        Ended::with(Outcome::failed(Reason::RUNNER_ERROR, error))
    }
}
