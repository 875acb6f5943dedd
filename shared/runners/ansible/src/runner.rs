//! [`Runner`] for playbooks: one forked child of the Ansible host for each job.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::redact::{Redactor, TooLarge};
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_kind_ansible::detail::{Detail, PlayProgress};
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::stats::reached;
use callboard_process::memory::Kills;
use callboard_process::{Children, JobFolders, shortage};
use tokio::sync::Notify;

use crate::command::Prepared;
use crate::control::{Control, Exit, Used};
use crate::git::Repositories;
use crate::host::{Host, HostError, Versions};
use crate::host_keys::{self, Facts};
use crate::keys::Keys;
use crate::pump::{Findings, Pipes, Pump, PumpError, Target};
use crate::reach::Reach;
use crate::room::Room;
use crate::settings::AnsibleSettings;
use crate::task::Task;
use crate::unready::{Unready, sentence};
use crate::verdict::End;
use crate::workspace::Workspace;

/// What there is to say of a job that was stopped while it was got ready.
const NOT_STARTED: &str = "Its playbook had not started yet.";
/// What the log says of what a playbook leaves running.
const LEFT: &str = "callboard: the job has ended, and with it what it had left running";

/// Runs playbooks.
pub struct AnsibleRunner {
    settings: AnsibleSettings,
    root: Arc<JobFolders>,
    host: Host,
    children: Children,
    reach: Reach,
    repositories: Repositories,
}

/// Why a job did not come to an exit code.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Unready(#[from] Unready),
    #[error("the job's secrets are too many to be kept out of what it prints")]
    Secrets(#[from] TooLarge),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("the job's folder could not be made ready")]
    Io(#[from] io::Error),
    #[error("the job's process could not be started")]
    Fork(#[source] io::Error),
    #[error(transparent)]
    Pump(#[from] PumpError),
    #[error("a newer release has recorded the job, and this one does not know all that it asks for: {0}")]
    Unknown(#[source] serde_json::Error),
}

impl RunError {
    /// Tells whether nothing was started, because the machine was short of something.
    fn is_shortage(&self) -> bool {
        match self {
            Self::Unready(error) => error.short,
            Self::Host(_) | Self::Io(_) | Self::Fork(_) => shortage::is_behind(self),
            Self::Secrets(_) | Self::Pump(_) | Self::Unknown(_) => false,
        }
    }
}

impl AnsibleRunner {
    /// Makes a runner whose jobs have folders among those of this process, and whose processes are known to all runners of it;
    /// the host is started when it is first needed.
    #[must_use]
    pub fn new(settings: AnsibleSettings, reach: Reach, root: Arc<JobFolders>, children: Children) -> Self {
        Self {
            settings,
            root,
            host: Host::new(children.clone()),
            children,
            reach,
            repositories: Repositories::default(),
        }
    }

    /// Starts the host, so that the first job finds it ready; returns its versions.
    ///
    /// # Errors
    /// [`HostError`] says why it cannot run.
    pub async fn warm_up(&self) -> Result<Versions, HostError> {
        self.host.ready(&self.settings, &self.root).await
    }

    /// Removes what jobs have left anywhere in the folder for running jobs, such as `/tmp`. Only where that folder is this
    /// process's alone, as in Lambda, and while no job runs.
    ///
    /// # Errors
    /// Something cannot be removed, or not within half a minute.
    pub async fn clean(self: &Arc<Self>) -> io::Result<()> {
        let runner = Arc::clone(self);
        let cleaned = tokio::task::spawn_blocking(move || runner.root.clean()).await;
        cleaned.map_err(io::Error::other)?
    }

    /// Removes what is left of the folders of jobs that have ended, where that took too long, or something resisted. It does not
    /// wait for that.
    pub fn tidy(&self) {
        self.root.tidy();
    }

    /// Gets what a job needs and runs it, unless it is to be stopped before. What it prints, and the errors that are told of
    /// it, hold none of its secrets.
    async fn run_in(&self, workspace: &Workspace, job: &Job, output: &Output, stop: Stop) -> Result<Ended, RunError> {
        let mut stopped = stop.clone();
        let prepared = tokio::select! {
            prepared = self.prepare(workspace, job) => prepared?,
            () = stopped.requested() => return Ok(not_started()),
        };
        let (mut prepared, redactor) = prepared;
        let accepted = prepared.accepted.take();
        output.report(Object::of(&PlayProgress {
            commit: prepared.commit.clone(),
            ..PlayProgress::default()
        }));
        let run = self.start(&prepared, job, output, stop, &redactor);
        match accepted {
            Some(mut accepted) => accepted.keep_during(run).await,
            None => run.await,
        }
    }

    async fn prepare(&self, workspace: &Workspace, job: &Job) -> Result<(Prepared, Arc<Redactor>), RunError> {
        let request = AnsibleRequest::of(&job.request).map_err(RunError::Unknown)?;
        let keys = Keys::resolve(&self.reach, job, &request).await?;
        let redactor = Arc::new(Redactor::new(&keys.secrets())?);
        let task = Task {
            settings: &self.settings,
            reach: &self.reach,
            repositories: &self.repositories,
            job,
            request: &request,
            keys: &keys,
            workspace,
            room: Room::new(self.reach.limits.max_bytes),
        };
        let prepared = task.prepare().await;
        let prepared = prepared.map_err(|error| error.redacted(&redactor))?;
        Ok((prepared, redactor))
    }

    /// Runs a job that is prepared. A host that dies before the job has begun is replaced, once, and the job started again.
    async fn start(
        &self,
        prepared: &Prepared,
        job: &Job,
        output: &Output,
        stop: Stop,
        redactor: &Arc<Redactor>,
    ) -> Result<Ended, RunError> {
        let kills = Kills::watch();
        let mut run = self.fork(prepared, job, output, stop.clone(), redactor).await?;
        if run.exit == Exit::NotStarted && !run.stopped {
            run = self.fork(prepared, job, output, stop, redactor).await?;
        }
        match run.exit {
            Exit::NotStarted if run.stopped => return Ok(not_started()),
            Exit::NotForked(errno) => return Err(RunError::Fork(io::Error::from_raw_os_error(errno))),
            _ => {}
        }
        let facts = Facts {
            home: self.settings.home,
            folder: &prepared.host_keys,
            checking: self.reach.policy.host_key_checking,
            how_to_forget: &|host| self.reach.host_keys.how_to_forget(&job.tenant, host),
        };
        host_keys::explain(run.findings.failures.all_mut(), &facts).await;
        let end = End {
            exit: &run.exit,
            findings: &run.findings,
            stopped: run.stopped,
            work: &self.settings.work,
            root: &prepared.root,
            out_of_memory: kills.happened(),
        };
        let mut outcome = end.outcome(prepared.commit.clone());
        outcome.usage = run.used.map(Used::into_usage);
        let missed = Detail::of(&outcome).stats.as_ref().and_then(reached);
        let doing: Vec<String> = run.findings.doing.into_iter().chain(missed).collect();
        Ok(Ended {
            outcome,
            // it is not stopped while something of it lives
            stopped: run.stopped && !matches!(run.exit, Exit::Unstoppable(_)),
            doing: Some(doing.join(" ")).filter(|doing| !doing.is_empty()),
            short: false,
        })
    }

    async fn fork(
        &self,
        prepared: &Prepared,
        job: &Job,
        output: &Output,
        stop: Stop,
        redactor: &Arc<Redactor>,
    ) -> Result<Run, RunError> {
        let spec = &prepared.spec;
        let mut stopped = stop.clone();
        let channels = tokio::select! {
            channels = self.host.fork(&self.settings, &self.root, spec) => channels?,
            // it may have to wait for the host; a supervisor that is not told to begin does nothing
            () = stopped.requested() => return Ok(Run::stopped_before()),
        };
        let mut control = Control::new(channels.control, self.settings.grace, &self.children);
        let pipes = Pipes {
            output: channels.output,
            errors: channels.errors,
            events: channels.events,
        };
        let target = Target {
            output,
            viewer: self.settings.viewer.clone(),
            redactor: Arc::clone(redactor),
            root: prepared.root.clone(),
        };
        let mut pump = Pump::new(pipes, &spec.nonce, job.id.to_string(), target);
        pump.runs_commit(prepared.commit.clone());
        let mut exit = self.drive(&mut control, &mut pump, stop).await;
        let (stopped, supervisor, left) = (control.stopped, control.supervisor, std::mem::take(&mut control.left));
        let used = control.used;
        drop(control);
        if let Some(pid) = supervisor {
            self.children.forget(pid).await;
        }
        // what a lost supervisor has left was ended before its pipes were drained
        if !matches!(exit, Ok(Exit::Code(_) | Exit::Signal(_) | Exit::SupervisorLost(_))) {
            let survivors = self.children.end_strays(supervisor).await;
            exit = exit.map(|exit| exit.but_for(&survivors));
        }
        let exit = exit?;
        if !left.is_empty() {
            pump.say(&format!("{LEFT}: {}.", left.join(", "))).await?;
        }
        Ok(Run {
            exit,
            findings: pump.into_findings(),
            stopped,
            used,
        })
    }

    /// Steers the job and moves its output until it has ended and its pipes are dry. A job whose output cannot be
    /// moved is killed.
    async fn drive(&self, control: &mut Control<'_>, pump: &mut Pump<'_>, stop: Stop) -> Result<Exit, PumpError> {
        let (abort, ended) = (Notify::new(), Notify::new());
        let steer = control.run(stop.clone(), &abort);
        let pumping = pump.run(&ended, stop);
        tokio::pin!(steer, pumping);
        let mut pumped = None;
        let mut exit = loop {
            tokio::select! {
                exit = &mut steer => break exit?,
                done = &mut pumping, if pumped.is_none() => {
                    if done.is_err() {
                        abort.notify_one();
                    }
                    pumped = Some(done);
                }
            }
        };
        if let Exit::SupervisorLost(pid) = exit {
            self.children.forget(pid).await;
            let survivors = self.children.end_strays(Some(pid)).await;
            exit = exit.but_for(&survivors);
        }
        ended.notify_one();
        match pumped {
            Some(done) => done?,
            None => pumping.await?,
        }
        Ok(exit)
    }
}

/// What came of one fork of a job.
struct Run {
    exit: Exit,
    findings: Findings,
    stopped: bool,
    used: Option<Used>,
}

impl Run {
    fn stopped_before() -> Self {
        Self {
            exit: Exit::NotStarted,
            findings: Findings::default(),
            stopped: true,
            used: None,
        }
    }
}

/// The end of a job that was stopped before its playbook had started.
fn not_started() -> Ended {
    Ended {
        outcome: Outcome::failed(Reason::RUNNER_ERROR, NOT_STARTED),
        stopped: true,
        doing: Some(NOT_STARTED.to_owned()),
        short: false,
    }
}

#[async_trait]
impl Runner for AnsibleRunner {
    fn kind(&self) -> &'static str {
        callboard_kind_ansible::kind::NAME
    }

    async fn run(&self, job: &Job, output: &Output, stop: Stop) -> Ended {
        let folder = self.root.attempt(job.id, job.state.attempt);
        let workspace = match folder.and_then(Workspace::furnish) {
            Ok(workspace) => workspace,
            Err(error) => return failed(job, RunError::Io(error)),
        };
        let ended = self.run_in(&workspace, job, output, stop).await;
        if let Err(error) = workspace.remove().await {
            tracing::warn!(job.id = %job.id, error = %causes(&error), "the job's folder is left, and is tried again until it is gone");
        }
        ended.unwrap_or_else(|error| failed(job, error))
    }
}

fn failed(job: &Job, error: RunError) -> Ended {
    let short = error.is_shortage();
    let outcome = match error {
        RunError::Unready(error) if error.reason != Reason::RUNNER_ERROR => {
            tracing::warn!(job.id = %job.id, job.reason = error.reason.as_str(), error = %causes(&error), "the job could not be started");
            Outcome::failed(error.reason, error.message)
        }
        other => {
            tracing::error!(job.id = %job.id, error = %causes(&other), "the job could not be run");
            Outcome::failed(Reason::RUNNER_ERROR, sentence(&other.to_string()))
        }
    };
    Ended {
        outcome,
        stopped: false,
        doing: None,
        short,
    }
}
