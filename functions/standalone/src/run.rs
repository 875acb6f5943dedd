//! `callboard run`: runs playbooks on this machine right away.

mod call;
mod refusals;
mod request;
mod stock;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callboard_ansible::environment::Environment;
use callboard_ansible::{AnsibleSettings, Home, Isolation, PlaybookFolder};
use callboard_api::JobView;
use callboard_core::audit::{Deed, NewEntry, note};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Job, JobStore, Ticket};
use callboard_core::request::{JobRequest, Lane};
use callboard_core::run::{Disposition, Limits, Runners, Worker, cancel};
use callboard_core::submit::Submitter;
use tokio::sync::watch;

use crate::cli::RunArguments;
use crate::own::own;
use crate::parts::{LEASE, Parts};
use crate::signals::{Ending, Signals};
use crate::terminal::{Terminal, print, tell};
use crate::{kinds, logging, report, setup};

/// How soon Ctrl-C is noticed.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Runs the playbooks and returns Ansible's exit code.
pub(crate) async fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let common = &arguments.common;
    logging::start(common.log_format, "warn");
    if stock::only_shows(arguments) {
        return stock::show(arguments).await;
    }
    if let Some(request) = call::request(&arguments.call)? {
        return call::run(arguments, request).await;
    }
    let folder = request::playbooks_folder(&arguments.playbooks)?;
    refusals::refuse_prompts(arguments)?;
    refusals::refuse_missing_files(arguments)?;
    let request = JobRequest {
        origin: Some(own().origin()),
        ..request::request(arguments)?
    };
    let parts = Parts::open(common)?;
    let environment = setup::environment(common).await?;
    let mut signals = Signals::listen()?;
    let settings = settings(arguments, environment, &folder)?;
    let submitter = parts.submitter(common, kinds::shown(), u32::MAX);
    let runner = parts.runner(common, settings, Parts::folders(common)?)?;
    let job = record(&parts, &submitter, request).await?;
    let ending = execute(
        &parts.worker(
            common,
            Runners::new(vec![runner]),
            Lane::Programs,
            HEARTBEAT,
            Some(LEASE),
        ),
        &parts,
        &job,
        &mut signals,
    )
    .await?;
    let code = finish(&parts, job.id, arguments.json, ending).await;
    parts.database.close().await;
    code
}

/// Records a job that this process runs itself.
async fn record(parts: &Parts, submitter: &Submitter, request: JobRequest) -> anyhow::Result<Job> {
    let job = submitter.record(Tenant::default(), request).await?;
    note(
        &*parts.audit,
        NewEntry::of(&own(), Deed::JobSubmit, Some(job.id.to_string())),
    )
    .await;
    if let Some(due) = job.state.due {
        parts.store.mark_dispatched(job.id, due).await?;
    }
    Ok(job)
}

fn settings(arguments: &RunArguments, environment: Environment, folder: &Path) -> anyhow::Result<AnsibleSettings> {
    let terminal = if arguments.json {
        std::io::stderr().is_terminal()
    } else {
        std::io::stdout().is_terminal()
    };
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Ok(AnsibleSettings {
        environment,
        playbooks: PlaybookFolder::open(folder)?,
        typed_playbooks: arguments.playbooks.clone(),
        work: arguments.common.work.clone(),
        home: Home::Callers,
        working_folder: Some(current_folder()?),
        color: terminal && !no_color,
        configured_inventory_first: arguments.inventory.is_empty(),
        extra_arguments: request::unrecorded(arguments),
        grace: Duration::from_secs(arguments.common.grace),
        isolation: Isolation::default(),
        viewer: Some(Arc::new(Terminal {
            record_on_stdout: arguments.json,
        })),
    })
}

fn current_folder() -> anyhow::Result<PathBuf> {
    std::env::current_dir().context("the current folder is gone")
}

/// Runs the job, again where that is due; a signal cancels it. Returns that signal, if there was one.
async fn execute(worker: &Worker, parts: &Parts, job: &Job, signals: &mut Signals) -> anyhow::Result<Option<Ending>> {
    let (_shutdown, never) = watch::channel(false);
    let limits = Limits {
        deadline: None,
        shutdown: never,
    };
    let ticket = Ticket::of(job);
    let running = async {
        while let Disposition::Again(pause) = worker.execute(&ticket, limits.clone()).await? {
            tokio::time::sleep(pause).await;
        }
        Ok::<_, StoreError>(())
    };
    tokio::pin!(running);
    let mut ending = None;
    loop {
        tokio::select! {
            done = &mut running => {
                done?;
                return Ok(ending);
            }
            signal = signals.next() => {
                if ending.is_none() {
                    tell(&format!("callboard: {}; the job is being stopped.", signal.told()));
                }
                ending.get_or_insert(signal);
                let by = format!("signal:{}", signal.name());
                let canceled = cancel(&parts.dispatcher, &Tenant::default(), job.id, by).await;
                // a job that waits for its next attempt ends at once
                if canceled.is_ok_and(|job| job.state.status.is_final()) {
                    return Ok(ending);
                }
            }
        }
    }
}

async fn finish(parts: &Parts, id: JobId, json: bool, ending: Option<Ending>) -> anyhow::Result<ExitCode> {
    let job = parts.store.get(id, parts.clock.now()).await?;
    let code = report::exit_code(&job, ending);
    tell(&report::line(&job));
    if json {
        print(&serde_json::to_string_pretty(
            &JobView::read(&kinds::shown(), &*parts.logs, job, parts.clock.now()).await?,
        )?);
    }
    Ok(ExitCode::from(code))
}
