//! `callboard run`: one playbook, here and now.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use callboard_ansible::environment::Environment;
use callboard_ansible::{AnsibleRunner, AnsibleSettings, Home, PlaybookFolder};
use callboard_api::JobView;
use callboard_core::cancel::cancel;
use callboard_core::execute::{Limits, Worker};
use callboard_core::id::{JobId, Tenant};
use callboard_core::inventory::Inventory;
use callboard_core::options::Options;
use callboard_core::ports::JobStore;
use callboard_core::request::JobRequest;
use callboard_core::source::Source;
use tokio::sync::watch;

use crate::cli::{Common, RunArguments};
use crate::parts::Parts;
use crate::signals::{Ending, Signals};
use crate::tee::Tee;
use crate::{logging, report, setup};

/// A `callboard serve` on the same data folder takes the job for lost some time after this.
const LEASE: Duration = Duration::from_secs(30);
/// Ctrl-C is noticed this soon.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// Runs the playbook and returns Ansible's exit code.
pub(crate) async fn run(common: &Common, arguments: RunArguments) -> anyhow::Result<ExitCode> {
    logging::start(common.log_format, "warn");
    let playbook = arguments.playbook.canonicalize();
    let playbook = playbook.with_context(|| format!("the playbook {} is not there", arguments.playbook.display()))?;
    if !playbook.is_file() {
        bail!("{} is no file, so it is no playbook", playbook.display());
    }
    let (Some(folder), Some(name)) = (playbook.parent(), playbook.file_name().and_then(|name| name.to_str())) else {
        bail!("the playbook {} cannot be named", playbook.display());
    };
    refuse_prompts(&arguments.more)?;
    let request = request(name, &arguments)?;
    let mut parts = Parts::open(common)?;
    let environment = setup::environment(common).await?;
    let mut signals = Signals::listen()?;
    let settings = settings(common, &arguments, environment, folder)?;
    let submitter = parts.submitter(common, Arc::new(settings.playbooks.clone()), u32::MAX);
    parts.logs = Arc::new(Tee {
        logs: parts.logs.clone(),
        to_stderr: arguments.json,
    });
    let runner = Arc::new(
        AnsibleRunner::new(settings, parts.reach(common)?).context("the folder for running jobs cannot be made")?,
    );
    let job = submitter.record(Tenant::default(), request).await?;
    if let Some(due) = job.state.due {
        parts.store.mark_dispatched(job.id, due).await?;
    }
    let ending = execute(
        &parts.worker(common, runner, HEARTBEAT, Some(LEASE)),
        &parts,
        job.id,
        &mut signals,
    )
    .await?;
    finish(&parts, job.id, arguments.json, ending).await
}

/// A job has no terminal: a question would be answered with nothing.
fn refuse_prompts(arguments: &[String]) -> anyhow::Result<()> {
    let asks = |flag: &&String| flag.starts_with("--ask-") || ["-k", "-K", "-J", "--step"].contains(&flag.as_str());
    match arguments.iter().find(asks) {
        Some(flag) => bail!(
            "{flag} asks questions, and a job has no terminal; use --vault-password-file, --become-password-file or \
             --connection-password-file"
        ),
        None => Ok(()),
    }
}

fn request(playbook: &str, arguments: &RunArguments) -> anyhow::Result<JobRequest> {
    let mut inventories = arguments
        .inventory
        .iter()
        .map(|text| inventory(text))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let inventory = match inventories.len() {
        0 => Inventory::default(),
        1 => inventories.remove(0),
        _ => Inventory::Several(inventories),
    };
    let options = Options {
        check: arguments.check,
        diff: arguments.diff,
        tags: arguments.tags.clone(),
        skip_tags: arguments.skip_tags.clone(),
        limit: arguments.limit.clone(),
        verbosity: arguments.verbose.min(4),
        forks: arguments.forks,
        timeout: arguments.timeout,
        ..Options::default()
    };
    Ok(JobRequest {
        source: Source::Playbook(playbook.to_owned()),
        inventory,
        options,
        ..JobRequest::default()
    })
}

/// A text with a comma is a list of hosts, any other a path, as for `ansible-playbook -i`.
fn inventory(text: &str) -> anyhow::Result<Inventory> {
    if text.contains(',') {
        return Ok(Inventory::Text(text.to_owned()));
    }
    let path = Path::new(text).canonicalize();
    let path =
        path.with_context(|| format!("there is no inventory {text} (for a list of hosts add a comma: -i {text},)"))?;
    Ok(Inventory::Text(path.display().to_string()))
}

fn settings(
    common: &Common,
    arguments: &RunArguments,
    environment: Environment,
    folder: &Path,
) -> anyhow::Result<AnsibleSettings> {
    let terminal = if arguments.json {
        std::io::stderr().is_terminal()
    } else {
        std::io::stdout().is_terminal()
    };
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let extra_vars = arguments.extra_vars.iter().map(|vars| format!("--extra-vars={vars}"));
    Ok(AnsibleSettings {
        environment,
        playbooks: PlaybookFolder::open(folder)?,
        work: common.work.clone(),
        home: Home::Callers,
        working_folder: Some(current_folder()?),
        color: terminal && !no_color,
        configured_inventory_first: arguments.inventory.is_empty(),
        extra_arguments: extra_vars.chain(arguments.more.iter().cloned()).collect(),
        grace: Duration::from_secs(common.grace),
    })
}

fn current_folder() -> anyhow::Result<PathBuf> {
    std::env::current_dir().context("the current folder is gone")
}

/// Runs the job; a signal cancels it. Returns the signal that did.
async fn execute(worker: &Worker, parts: &Parts, id: JobId, signals: &mut Signals) -> anyhow::Result<Option<Ending>> {
    let (_shutdown, never) = watch::channel(false);
    let running = worker.execute(
        id,
        Limits {
            deadline: None,
            shutdown: never,
        },
    );
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
                    eprintln!("callboard: {}; the playbook is being stopped.", signal.told());
                }
                ending.get_or_insert(signal);
                let by = format!("signal:{}", signal.name());
                drop(cancel(&*parts.store, &*parts.clock, &Tenant::default(), id, by).await);
            }
        }
    }
}

/// Whoever listened may be gone; the job's record and exit code are the same.
fn print(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

async fn finish(parts: &Parts, id: JobId, json: bool, ending: Option<Ending>) -> anyhow::Result<ExitCode> {
    let job = parts.store.get(id, parts.clock.now()).await?;
    let code = report::exit_code(&job, ending);
    let line = report::line(&job);
    if json {
        eprintln!("{line}");
        print(&serde_json::to_string_pretty(&JobView::read(&*parts.logs, job).await?)?);
    } else {
        print(&line);
    }
    Ok(ExitCode::from(code))
}
