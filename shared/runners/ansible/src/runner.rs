//! [`Runner`] for playbooks: one forked child of the Ansible host for each job.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::causes::causes;
use callboard_core::execute::Stop;
use callboard_core::job::Job;
use callboard_core::outcome::{Outcome, Reason};
use callboard_core::output::Output;
use callboard_core::ports::{Ended, PlaybookError, Runner};
use tokio::sync::Notify;

use crate::command::{self, JobSpec};
use crate::control::{Control, Exit};
use crate::host::{Host, HostError, Versions};
use crate::processes;
use crate::pump::{Findings, Pump, PumpError};
use crate::settings::AnsibleSettings;
use crate::supervisors::Supervisors;
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
}

/// Why a job did not come to an exit code.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Playbook(#[from] PlaybookError),
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
    pub fn new(settings: AnsibleSettings) -> io::Result<Self> {
        processes::become_subreaper()?;
        let root = WorkRoot::create(&settings.work)?;
        Ok(Self {
            settings,
            root,
            host: Host::new(),
            supervisors: Supervisors::default(),
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

    /// Runs a job. A host that dies before it has started the job is replaced, once, and the job started again.
    async fn run_in(&self, workspace: &Workspace, job: &Job, output: &Output, stop: Stop) -> Result<Ended, RunError> {
        let playbook = self.settings.playbooks.resolve(&job.request.playbook)?;
        let spec = command::prepare(&self.settings, &job.request, &playbook, workspace)?;
        let first = self.fork(&spec, job, output, stop.clone()).await?;
        match first.exit {
            Exit::NotStarted => Ok(self.fork(&spec, job, output, stop).await?.into()),
            _ => Ok(first.into()),
        }
    }

    async fn fork(&self, spec: &JobSpec, job: &Job, output: &Output, stop: Stop) -> Result<Run, RunError> {
        let channels = self.host.fork(&self.settings, &self.root, spec).await?;
        let mut control = Control::new(channels.control, self.settings.grace, &self.supervisors);
        let mut pump = Pump::new(
            channels.output,
            channels.events,
            &spec.nonce,
            job.id.to_string(),
            output,
        );
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
            findings: pump.findings,
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
            outcome: verdict::outcome(run.exit, &run.findings),
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
    tracing::error!(job.id = %job.id, error = %causes(&error), "the job could not be run");
    let outcome = match error {
        RunError::Playbook(error) => Outcome::failed(Reason::SourceUnavailable, sentence(&error)),
        other => Outcome::failed(Reason::RunnerError, sentence(&other)),
    };
    Ended {
        outcome,
        stopped: false,
    }
}

fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
