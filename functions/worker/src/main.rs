//! The worker function: executes the jobs of an SQS batch with the Ansible of its container image.

mod batch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callboard_ansible::environment::Environment;
use callboard_ansible::{AnsibleRunner, AnsibleSettings, FetchLimits, Home, PlaybookFolder, Reach, longest_socket};
use callboard_core::job::Rate;
use callboard_core::output::OutputLimits;
use callboard_core::request::Lane;
use callboard_core::run::{Held, Outage, Runners, Worker, WorkerSettings};
use callboard_lambda::{GRACE, HEARTBEAT, LEASE, Parts, Settings, number, required, start_logging};
use callboard_process::{Children, JobFolders};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use rustix::process::DumpableBehavior;
use tokio::sync::watch;

use crate::batch::Batches;

const FLUSH: Duration = Duration::from_secs(1);
/// The region and the month that the prices are from.
const PRICE_TABLE: &str = "aws-lambda/us-east-1/2026-11";

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
    let runner = Arc::new(AnsibleRunner::new(settings, reach, folders, Children::adopt()?));
    runner.warm_up().await?;
    let (_never, shutdown) = watch::channel(false);
    let batches = Batches {
        worker: Worker {
            store: parts.store.clone(),
            queue: parts.queue.clone(),
            lane: Lane::Programs,
            logs: parts.logs.clone(),
            runners: Runners::new(vec![runner.clone()]),
            clock: parts.clock.clone(),
            settings: WorkerSettings {
                lease: Some(LEASE),
                heartbeat: HEARTBEAT,
                flush: FLUSH,
                output: OutputLimits {
                    max_bytes: u64::from(number("CALLBOARD_MAX_OUTPUT_MB", 1024)?) << 20,
                    max_events: number("CALLBOARD_MAX_EVENTS", 1_000_000)?.into(),
                },
                patience: Duration::ZERO,
                puts_back: true,
                rate: rate(),
            },
            held: Held::default(),
            outage: Outage::default(),
        },
        queue: parts.queue,
        to_clean: std::env::var_os("CALLBOARD_OWNS_TMP").map(|_| runner.clone()),
        shutdown,
        margin: Duration::from_secs(number("CALLBOARD_DEADLINE_MARGIN", 60)?.into()),
    };
    let function = |event: LambdaEvent<_>| batches.execute(event);
    lambda_runtime::run(service_fn(function)).await
}

/// The price that AWS charges for this function's time, by its memory and processor: the first tier of us-east-1.
fn rate() -> Option<Rate> {
    let memory = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok()?;
    Some(Rate {
        memory_mib: memory.parse().ok()?,
        usd_per_gib_second: if cfg!(target_arch = "aarch64") {
            0.000_013_333_4
        } else {
            0.000_016_666_7
        },
        price_table: PRICE_TABLE,
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
        viewer: None,
    })
}
