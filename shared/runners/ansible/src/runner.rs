//! [`Runner`] for playbooks: one forked child of the Ansible host for each job.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::causes::causes;
use callboard_core::execute::Stop;
use callboard_core::job::Job;
use callboard_core::outcome::{Outcome, Reason};
use callboard_core::output::Output;
use callboard_core::ports::{Ended, Runner};
use callboard_core::progress::Progress;
use callboard_core::redact::{Redactor, TooLarge};
use tokio::sync::Notify;

use crate::command::Prepared;
use crate::control::{Control, Exit};
use crate::git::Repositories;
use crate::host::{Host, HostError, Versions};
use crate::host_keys::{self, Facts};
use crate::keys::Keys;
use crate::processes;
use crate::pump::{Findings, Pump, PumpError};
use crate::reach::Reach;
use crate::settings::AnsibleSettings;
use crate::supervisors::Supervisors;
use crate::task::Task;
use crate::unready::{Unready, sentence};
use crate::verdict;
use crate::workspace::{WorkRoot, Workspace};

/// How long the pipes of a job that has ended may take to run dry.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Runs playbooks.
pub struct AnsibleRunner {
    settings: AnsibleSettings,
    root: WorkRoot,
    host: Host,
    supervisors: Supervisors,
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
    #[error(transparent)]
    Pump(#[from] PumpError),
}

impl AnsibleRunner {
    /// Makes a runner; the host is started when it is first needed.
    ///
    /// # Errors
    /// The folder for running jobs cannot be made.
    pub fn new(settings: AnsibleSettings, reach: Reach) -> io::Result<Self> {
        processes::become_subreaper()?;
        let root = WorkRoot::create(&settings.work)?;
        Ok(Self {
            settings,
            root,
            host: Host::new(),
            supervisors: Supervisors::default(),
            reach,
            repositories: Repositories::default(),
        })
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
    /// Something cannot be removed.
    pub fn clean(&self) -> io::Result<()> {
        self.root.clean()
    }

    /// Gets what a job needs and runs it, unless it is to be stopped before. What it prints, and the errors that are told of
    /// it, hold none of its secrets.
    async fn run_in(&self, workspace: &Workspace, job: &Job, output: &Output, stop: Stop) -> Result<Ended, RunError> {
        let mut stopped = stop.clone();
        let prepared = tokio::select! {
            prepared = self.prepare(workspace, job) => prepared?,
            () = stopped.requested() => return Ok(Ended {
                outcome: Outcome::failed(Reason::RunnerError, "The job was stopped before its playbook had started."),
                stopped: true,
            }),
        };
        let (mut prepared, redactor) = prepared;
        let accepted = prepared.accepted.take();
        output.report(Progress {
            commit: prepared.commit.clone(),
            ..Progress::default()
        });
        let run = self.start(&prepared, job, output, stop, &redactor);
        let mut run = match accepted {
            Some(mut accepted) => accepted.keep_during(run).await?,
            None => run.await?,
        };
        let facts = Facts {
            home: self.settings.home,
            folder: workspace.ssh(),
            checking: self.reach.policy.host_key_checking,
            how_to_forget: &|host| self.reach.host_keys.how_to_forget(&job.tenant, host),
        };
        host_keys::explain(&mut run.findings.tracker.failures, &facts).await;
        let mut ended = Ended::from(run);
        ended.outcome.commit = prepared.commit;
        Ok(ended)
    }

    async fn prepare(&self, workspace: &Workspace, job: &Job) -> Result<(Prepared, Arc<Redactor>), RunError> {
        let keys = Keys::resolve(&self.reach, job).await?;
        let redactor = Arc::new(Redactor::new(&keys.secrets())?);
        let task = Task {
            settings: &self.settings,
            reach: &self.reach,
            repositories: &self.repositories,
            job,
            keys: &keys,
            workspace,
        };
        let prepared = task.prepare().await;
        let prepared = prepared.map_err(|error| error.redacted(&redactor))?;
        Ok((prepared, redactor))
    }

    /// Runs a job that is prepared. A host that dies before it has started the job is replaced, once, and the job started again.
    async fn start(
        &self,
        prepared: &Prepared,
        job: &Job,
        output: &Output,
        stop: Stop,
        redactor: &Arc<Redactor>,
    ) -> Result<Run, RunError> {
        let first = self.fork(prepared, job, output, stop.clone(), redactor).await?;
        match first.exit {
            Exit::NotStarted => self.fork(prepared, job, output, stop, redactor).await,
            _ => Ok(first),
        }
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
        let channels = self.host.fork(&self.settings, &self.root, spec).await?;
        let mut control = Control::new(channels.control, self.settings.grace, &self.supervisors);
        let mut pump = Pump::new(
            channels.output,
            channels.events,
            &spec.nonce,
            job.id.to_string(),
            output,
            Arc::clone(redactor),
        );
        pump.runs_commit(prepared.commit.clone());
        let exit = self.drive(&mut control, &mut pump, stop).await;
        let (stopped, supervisor) = (control.stopped, control.supervisor);
        drop(control);
        if let Some(pid) = supervisor {
            self.supervisors.forget(pid).await;
        }
        // what a lost supervisor has left was ended before its pipes were drained
        if !matches!(exit, Ok(Exit::Code(_) | Exit::Signal(_) | Exit::SupervisorLost(_))) {
            self.supervisors.end_strays(supervisor, self.host.pid().await).await;
        }
        Ok(Run {
            exit: exit?,
            findings: pump.into_findings(),
            stopped,
        })
    }

    /// Steers the job and moves its output until it has ended and its pipes are dry. A job whose output cannot be
    /// moved is killed.
    async fn drive(&self, control: &mut Control<'_>, pump: &mut Pump<'_>, stop: Stop) -> Result<Exit, PumpError> {
        let abort = Notify::new();
        let steer = control.run(stop, &abort);
        let pumping = pump.run();
        tokio::pin!(steer, pumping);
        let mut pumped = None;
        let exit = loop {
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
            self.supervisors.forget(pid).await;
            self.supervisors.end_strays(Some(pid), self.host.pid().await).await;
        }
        if pumped.is_none() {
            pumped = tokio::time::timeout(DRAIN_LIMIT, pumping).await.ok();
        }
        pumped.unwrap_or(Ok(())).map(|()| exit)
    }
}

/// What came of one fork of a job.
struct Run {
    exit: Exit,
    findings: Findings,
    stopped: bool,
}

impl From<Run> for Ended {
    fn from(run: Run) -> Self {
        Self {
            outcome: verdict::outcome(&run.exit, &run.findings),
            stopped: run.stopped,
        }
    }
}

#[async_trait]
impl Runner for AnsibleRunner {
    async fn run(&self, job: &Job, output: &Output, stop: Stop) -> Ended {
        let workspace = match self.root.attempt(job.id, job.state.attempt) {
            Ok(workspace) => workspace,
            Err(error) => return failed(job, RunError::Io(error)),
        };
        let ended = self.run_in(&workspace, job, output, stop).await;
        if let Err(error) = workspace.wipe() {
            tracing::error!(job.id = %job.id, error = %causes(&error), "the job's folder is left");
        }
        ended.unwrap_or_else(|error| failed(job, error))
    }
}

fn failed(job: &Job, error: RunError) -> Ended {
    let outcome = match error {
        RunError::Unready(error) if error.reason != Reason::RunnerError => {
            tracing::warn!(job.id = %job.id, job.reason = error.reason.as_str(), error = %causes(&error), "the job could not be started");
            Outcome::failed(error.reason, error.message)
        }
        other => {
            tracing::error!(job.id = %job.id, error = %causes(&other), "the job could not be run");
            Outcome::failed(Reason::RunnerError, sentence(&other.to_string()))
        }
    };
    Ended {
        outcome,
        stopped: false,
    }
}
