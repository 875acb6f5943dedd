//! One run of a prepared job: fork it, steer it, drain its output, read its end.

use std::io;
use std::sync::Arc;

use callboard_core::job::{Job, Usage};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::run::{Ended, Stop};
use callboard_kind_ansible::stats::reached;
use callboard_process::memory::Kills;
use tokio::sync::Notify;

use super::error::RunError;
use super::{AnsibleRunner, not_started};
use crate::command::Prepared;
use crate::control::{Control, Exit};
use crate::findings::Findings;
use crate::host_keys::{self, Facts};
use crate::owner::Owner;
use crate::pump::{Pipes, Pump, PumpError, Target};
use crate::verdict::End;
use crate::workspace::Workspace;

/// What the log says about what a playbook leaves running.
const LEFT: &str = "callboard: the job has ended, and what it left running was ended too";

/// A prepared job, and where its output goes.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) runner: &'a AnsibleRunner,
    pub(super) prepared: &'a Prepared,
    pub(super) workspace: &'a Workspace,
    pub(super) job: &'a Job,
    pub(super) output: &'a Output,
    pub(super) redactor: &'a Arc<Redactor>,
}

impl Attempt<'_> {
    /// Runs a prepared job. If the host dies before the job has begun, it is replaced, once, and the job is started again.
    pub(super) async fn run(&self, stop: Stop) -> Result<Ended, RunError> {
        let (runner, prepared) = (self.runner, self.prepared);
        let kills = Kills::watch();
        let mut run = self.fork(stop.clone()).await?;
        if run.exit == Exit::NotStarted && !run.stopped {
            run = self.fork(stop).await?;
        }
        match run.exit {
            Exit::NotStarted if run.stopped => return Ok(not_started(prepared.commit.clone())),
            Exit::NotForked(errno) => return Err(RunError::Fork(io::Error::from_raw_os_error(errno))),
            _ => {}
        }
        let ssh = self.workspace.ssh();
        let facts = Facts {
            home: runner.settings.home,
            folder: &ssh,
            launcher: self.workspace.owner().map(Owner::launcher).unwrap_or_default(),
            checking: runner.reach.policy.host_key_checking,
            how_to_forget: &|host| runner.reach.host_keys.how_to_forget(&self.job.tenant, host),
        };
        host_keys::explain(run.findings.failures.all_mut(), &facts).await;
        let isolation = &runner.settings.isolation;
        isolation.explain(run.findings.failures.all_mut());
        let end = End {
            exit: &run.exit,
            findings: &run.findings,
            stopped: run.stopped,
            work: &runner.settings.work,
            root: &prepared.root,
            out_of_memory: kills.happened(),
        };
        let mut outcome = end.outcome();
        outcome.usage = Some(Usage {
            isolation: isolation.means(),
            ..run.used.unwrap_or_default()
        });
        // only a stopped job reports what it was doing and what it had not reached
        let missed = match run.stopped {
            true => run.findings.tracker.stats_so_far().and_then(reached),
            false => None,
        };
        let doing: Vec<String> = run.findings.doing.into_iter().chain(missed).collect();
        Ok(Ended {
            // the job is not stopped while one of its processes is alive
            stopped: run.stopped && !matches!(run.exit, Exit::Unstoppable(_)),
            doing: Some(doing.join(" ")).filter(|doing| !doing.is_empty()),
            ..Ended::with(outcome)
        })
    }

    async fn fork(&self, stop: Stop) -> Result<Run, RunError> {
        let (runner, prepared) = (self.runner, self.prepared);
        let spec = &prepared.spec;
        let mut stopped = stop.clone();
        let channels = tokio::select! {
            channels = runner.host.fork(&runner.settings, &runner.root, prepared) => channels?,
            // forking may have to wait for the host; a supervisor that is not told to begin does nothing
            () = stopped.requested() => return Ok(Run::stopped_before()),
        };
        let mut control = Control::new(channels.control, runner.settings.grace, &runner.children);
        let pipes = Pipes {
            output: channels.output,
            errors: channels.errors,
            events: channels.events,
        };
        let target = Target {
            output: self.output,
            viewer: runner.settings.viewer.clone(),
            redactor: Arc::clone(self.redactor),
            root: prepared.root.clone(),
        };
        let mut pump = Pump::new(pipes, &spec.nonce, self.job.id.to_string(), target);
        pump.runs_commit(prepared.commit.clone());
        let mut exit = self.drive(&mut control, &mut pump, stop).await;
        let (stopped, supervisor, left) = (control.stopped, control.supervisor, std::mem::take(&mut control.left));
        let used = control.used.take();
        drop(control);
        if let Some(pid) = supervisor {
            runner.children.forget(pid).await;
        }
        // what a lost supervisor left running was ended before its pipes were drained
        if !matches!(exit, Ok(Exit::Code(_) | Exit::Signal(_) | Exit::SupervisorLost(_))) {
            let survivors = runner.children.end_strays(supervisor).await;
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

    /// Steers the job and moves its output until it has ended and its pipes are empty. If its output cannot be moved, the
    /// job is killed.
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
            self.runner.children.forget(pid).await;
            let survivors = self.runner.children.end_strays(Some(pid)).await;
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

/// The result of one fork of a job.
struct Run {
    exit: Exit,
    findings: Findings,
    stopped: bool,
    used: Option<Usage>,
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
