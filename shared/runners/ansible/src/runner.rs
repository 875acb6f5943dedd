//! [`Runner`] for playbooks: one forked child of the Ansible host for each job.

mod attempt;
mod error;

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_kind_ansible::detail::{Detail, PlayProgress};
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::retry::Retry;
use callboard_process::{Children, JobFolders};

use self::attempt::Attempt;
use self::error::{RunError, failed};
use crate::command::Prepared;
use crate::git::Repositories;
use crate::host::{Host, HostError, Versions};
use crate::keys::Keys;
use crate::reach::Reach;
use crate::room::Room;
use crate::settings::AnsibleSettings;
use crate::task::Task;
use crate::workspace::Workspace;

/// What is reported about a job that was stopped while it was being prepared.
const NOT_STARTED: &str = "Its playbook had not started yet.";
/// Runs playbooks.
pub struct AnsibleRunner {
    settings: AnsibleSettings,
    root: Arc<JobFolders>,
    host: Host,
    children: Children,
    reach: Reach,
    repositories: Repositories,
}

impl AnsibleRunner {
    /// Makes a runner. Its jobs' folders are among those of this process, and its processes are known to all runners of this
    /// process. The host is started when it is first needed.
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

    /// Removes what jobs have left anywhere in the folder for running jobs, such as `/tmp`. Call this only if that folder
    /// belongs to this process alone, as in Lambda, and while no job runs.
    ///
    /// # Errors
    /// Something cannot be removed, or not within half a minute.
    pub async fn clean(self: &Arc<Self>) -> io::Result<()> {
        let runner = Arc::clone(self);
        let cleaned = tokio::task::spawn_blocking(move || runner.root.clean()).await;
        cleaned.map_err(io::Error::other)?
    }

    /// Removes what is left of the folders of jobs that have ended, if removing them took too long or failed. It does not wait
    /// for the removal.
    pub fn tidy(&self) {
        self.root.tidy();
    }

    /// Makes the job's folder, for a user of whose earlier jobs nothing is left.
    async fn workspace(&self, job: &Job) -> io::Result<Workspace> {
        let user = match self.settings.isolation.users() {
            Some(users) => Some(users.take(&self.root).await?),
            None => None,
        };
        let folder = self.root.attempt(job.id, job.state.attempt)?;
        Workspace::furnish(folder, user, &self.settings.environment, &self.root.host()?)
    }

    /// Gets what a job needs and runs it, unless it is stopped first. Its output and its reported errors hold none of its
    /// secrets.
    async fn run_in(
        &self,
        workspace: &Workspace,
        job: &Job,
        work: Object,
        output: &Output,
        stop: Stop,
    ) -> Result<Ended, RunError> {
        let mut stopped = stop.clone();
        let prepared = tokio::select! {
            prepared = self.prepare(workspace, job, work) => prepared?,
            () = stopped.requested() => return Ok(not_started(None)),
        };
        let (mut prepared, redactor) = prepared;
        let accepted = prepared.accepted.take();
        output.report(Object::of(&PlayProgress {
            commit: prepared.commit.clone(),
            ..PlayProgress::default()
        }));
        let attempt = Attempt {
            runner: self,
            prepared: &prepared,
            workspace,
            job,
            output,
            redactor: &redactor,
        };
        let run = attempt.run(stop);
        match accepted {
            Some(mut accepted) => accepted.keep_during(run).await,
            None => run.await,
        }
    }

    /// Runs a job in a folder of its own, which is removed afterwards.
    async fn try_run(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Result<Ended, RunError> {
        let workspace = self.workspace(job).await.map_err(RunError::Io)?;
        let ended = self.run_in(&workspace, job, work, output, stop).await;
        if let Err(error) = workspace.clear().await {
            tracing::warn!(error = %causes(&error), "the job's folder could not be removed; the removal is tried again until it succeeds");
        }
        ended
    }

    async fn prepare(
        &self,
        workspace: &Workspace,
        job: &Job,
        work: Object,
    ) -> Result<(Prepared, Arc<Redactor>), RunError> {
        let request = AnsibleRequest::of_work(work).map_err(RunError::Unknown)?;
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
}

/// Returns the end of a job that was stopped before its playbook started; `commit` is given if it was already known.
fn not_started(commit: Option<String>) -> Ended {
    let detail = Detail {
        commit,
        ..Detail::default()
    };
    Ended {
        stopped: true,
        doing: Some(NOT_STARTED.to_owned()),
        ..Ended::with(detail.onto(Outcome::failed(Reason::RUNNER_ERROR, NOT_STARTED)))
    }
}

#[async_trait]
impl Runner for AnsibleRunner {
    fn kind(&self) -> &'static str {
        callboard_kind_ansible::kind::NAME
    }

    async fn run(&self, job: &Job, mut work: Object, output: &Output, stop: Stop) -> Ended {
        let retry = Retry::of(&work);
        if let Some(retry) = &retry {
            retry.narrow(job, &mut work);
        }
        let ended = self.try_run(job, work, output, stop).await.unwrap_or_else(failed);
        match retry {
            Some(retry) => retry.judge(job, ended),
            None => ended,
        }
    }
}
