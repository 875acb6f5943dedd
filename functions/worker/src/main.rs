//! The worker function: executes the jobs of an SQS batch with the Ansible and the programs of its container image.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callboard_ansible::environment::Environment;
use callboard_ansible::{
    AnsibleRunner, AnsibleSettings, FetchLimits, Home, Isolation, PlaybookFolder, Reach, longest_socket,
};
use callboard_calls::{Breakers, Calls};
use callboard_core::base::causes::causes;
use callboard_core::request::Lane;
use callboard_core::run::{Runner, Runners};
use callboard_lambda::{GRACE, Parts, Settings, number, required, start_logging};
use callboard_process::{Children, JobFolders};
use callboard_runner_shell::ShellRunner;
use callboard_sandbox::Surroundings;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use rustix::process::DumpableBehavior;

fn main() -> Result<(), Error> {
    callboard_sandbox::launch_if_asked();
    start()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn start() -> Result<(), Error> {
    start_logging();
    // a playbook runs as the same user: it must not read this process's variables, which are the role's credentials
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let parts = Parts::connect(Settings::from_env()?).await;
    let reach = Reach {
        policy: parts.policies.ansible.clone(),
        secrets: Arc::new(parts.secrets()?),
        archives: parts.archives.clone(),
        host_keys: parts.host_keys.clone(),
        limits: FetchLimits {
            timeout: Duration::from_secs(number("CALLBOARD_FETCH_TIMEOUT", 300)?.into()),
            max_bytes: u64::from(number("CALLBOARD_FETCH_MAX_MB", 400)?) << 20,
        },
    };
    let settings = ansible()?;
    let folders = JobFolders::create(&settings.work, longest_socket());
    let folders = Arc::new(folders.context("the folder for running jobs cannot be made")?);
    let programs = ShellRunner::new(
        reach.secrets.clone(),
        folders.clone(),
        GRACE,
        PathBuf::from("/proc/self/exe"),
    );
    let runner = Arc::new(AnsibleRunner::new(settings, reach, folders, Children::adopt()?));
    runner.warm_up().await?;
    let breakers = Breakers::new(parts.breakers.clone(), parts.clock.clone());
    let mut runners: Vec<Arc<dyn Runner>> = vec![runner.clone()];
    runners.extend(Calls::of(vec![Arc::new(programs)], breakers, parts.clock.clone()));
    let batches = &parts.batches(Lane::Programs, Runners::new(runners))?;
    let to_clean = &std::env::var_os("CALLBOARD_OWNS_TMP").map(|_| runner);
    let function = |event: LambdaEvent<_>| async move {
        let deadline = event.context.deadline();
        let answer = batches.execute(&event.payload, deadline).await;
        clean(to_clean.as_ref()).await;
        Ok::<_, Error>(answer)
    };
    lambda_runtime::run(service_fn(function)).await
}

/// Removes what jobs have left in `/tmp`, if that belongs to this worker alone.
async fn clean(runner: Option<&Arc<AnsibleRunner>>) {
    if let Some(runner) = runner
        && let Err(error) = runner.clean().await
    {
        tracing::error!(error = %causes(&error), "what the jobs have left in /tmp could not be removed");
    }
}

/// Returns by what jobs are isolated, as far as the system here can. Nothing on disk is the worker's alone: what jobs must not reach is
/// its process and the host.
fn isolation() -> Isolation {
    Isolation::default()
        .find(Surroundings::default(), false)
        .unwrap_or_else(|why| {
            tracing::info!("jobs are not isolated from the worker: {why}");
            Isolation::default()
        })
}

/// The Ansible settings of the image; see the Dockerfile of this crate.
fn ansible() -> anyhow::Result<AnsibleSettings> {
    let playbooks = PathBuf::from(required("CALLBOARD_PLAYBOOKS")?);
    Ok(AnsibleSettings {
        environment: Environment {
            python: required("CALLBOARD_PYTHON")?.into(),
            host: required("CALLBOARD_HOST")?.into(),
        },
        playbooks: PlaybookFolder::open(&playbooks)
            .with_context(|| format!("the playbooks folder {} cannot be used", playbooks.display()))?,
        typed_playbooks: Vec::new(),
        work: PathBuf::from("/tmp"),
        home: Home::Private,
        working_folder: None,
        color: true,
        configured_inventory_first: false,
        extra_arguments: Vec::new(),
        grace: GRACE,
        isolation: isolation(),
        viewer: None,
    })
}
