//! A whole deployment on this machine: resources, functions, API, event source mappings and the sweep.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval};

use super::gateway::Gateway;
use super::lambda::Pool;
use super::mapping::{Mapping, MappingSettings};
use super::{Environment, Queue, Resources};
use crate::client::Client;

/// The settings of a stack.
#[derive(Clone, Debug)]
pub struct StackSettings {
    /// How many workers there are.
    pub workers: usize,
    /// How many callers there are.
    pub callers: usize,
    /// How often to look for jobs of lost workers; on AWS this happens once a minute.
    pub sweep: Duration,
    /// How soon a message that was not handled is delivered again.
    pub retry_after: Duration,
    /// Variables for all functions, in addition to the template's.
    pub environment: Environment,
}

/// A running stack, with its own threads; dropping it kills its functions.
pub struct Stack {
    /// The table, queues and bucket.
    pub resources: Resources,
    /// The instances of `SubmitFunction`.
    pub submit: Pool,
    /// The instances of `QueryFunction`.
    pub query: Pool,
    /// The instances of `WorkerFunction`.
    pub worker: Pool,
    /// The instances of `CallerFunction`.
    pub caller: Pool,
    gateway: Gateway,
    _mappings: [Mapping; 4],
    runtime: Option<Runtime>,
}

/// An instance is busy during a synchronous request, during a long poll, and during a sweep while jobs run.
const SUBMIT: usize = 4;
const QUERY: usize = 4;

impl Default for StackSettings {
    fn default() -> Self {
        Self {
            workers: 2,
            callers: 1,
            sweep: Duration::from_secs(1),
            retry_after: Duration::from_secs(1),
            environment: Environment::new(),
        }
    }
}

impl StackSettings {
    /// Sets a variable for all functions.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }
}

impl Stack {
    /// Starts a stack with the tests' playbooks, and with the Ansible that the Python tests use. Its workers are warmed up.
    ///
    /// # Errors
    /// The emulators are missing, or something does not start.
    pub fn start(settings: &StackSettings) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        // A test runs in its own runtime, and another runtime cannot block inside it.
        let assembled = std::thread::scope(|scope| {
            let thread = scope.spawn(|| runtime.block_on(Self::assemble(settings)));
            thread.join()
        });
        match assembled {
            Ok(Ok(mut stack)) => {
                stack.runtime = Some(runtime);
                Ok(stack)
            }
            Ok(Err(error)) => {
                runtime.shutdown_background();
                Err(error)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Returns a client of the API.
    #[must_use]
    pub fn client(&self) -> Client {
        self.gateway.client()
    }

    /// Invokes the submit function with an event, as whoever may do that.
    ///
    /// # Errors
    /// The function fails.
    pub async fn invoke_submit(&self, event: &Value) -> anyhow::Result<Value> {
        self.submit.invoke(event.clone()).await
    }

    /// Returns the functions' logs.
    #[must_use]
    pub fn log(&self) -> String {
        [&self.submit, &self.query, &self.worker, &self.caller]
            .map(Pool::log)
            .concat()
    }

    async fn assemble(settings: &StackSettings) -> anyhow::Result<Self> {
        let resources = Resources::create().await?;
        let environment = |function| {
            let mut environment = resources.environment(function)?;
            environment.extend(ansible());
            environment.extend(settings.environment.clone());
            anyhow::Ok(environment)
        };
        let submit = Pool::start("submit", SUBMIT, &environment("SubmitFunction")?).await?;
        let query = Pool::start("query", QUERY, &environment("QueryFunction")?).await?;
        let worker = Pool::start("worker", settings.workers, &environment("WorkerFunction")?).await?;
        worker.warm_up(&json!({"Records": []})).await?;
        let caller = Pool::start("caller", settings.callers, &environment("CallerFunction")?).await?;
        let map = |event: &str, queue: &Queue, pool: &Pool| {
            let mut mapping = MappingSettings::read(&resources.template.properties(event)?)?;
            mapping.retry_after = settings.retry_after;
            anyhow::Ok(Mapping::start(resources.sqs(), queue.clone(), pool.clone(), mapping))
        };
        let mappings = [
            map("WorkerFunction/Properties/Events/Jobs", &resources.jobs, &worker)?,
            map("CallerFunction/Properties/Events/Calls", &resources.calls, &caller)?,
            map("SubmitFunction/Properties/Events/Intake", &resources.intake, &submit)?,
            map(
                "SubmitFunction/Properties/Events/DeadJobs",
                &resources.dead_jobs,
                &submit,
            )?,
        ];
        let gateway = Gateway::start(&resources.template, submit.clone(), query.clone()).await?;
        let event = resources
            .template
            .properties("SubmitFunction/Properties/Events/Sweep")?;
        let event = serde_json::from_str(event.text("/Input")?)?;
        tokio::spawn(sweep(submit.clone(), event, settings.sweep));
        Ok(Self {
            resources,
            submit,
            query,
            worker,
            caller,
            gateway,
            _mappings: mappings,
            runtime: None,
        })
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        for pool in [&self.submit, &self.query, &self.worker, &self.caller] {
            pool.stop();
        }
        // Shown when a test fails.
        eprintln!("{}", self.log());
    }
}

/// Returns the variables of the worker's image.
#[must_use]
pub fn ansible() -> Environment {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let variables = [
        ("CALLBOARD_PYTHON", root.join("target/python-dev/bin/python3")),
        ("CALLBOARD_HOST", root.join("shared/runners/ansible/host")),
        ("CALLBOARD_PLAYBOOKS", crate::playbooks()),
    ];
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    variables.map(|(name, path)| (name.to_owned(), text(path))).into()
}

async fn sweep(submit: Pool, event: Value, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = submit.invoke(event.clone()).await {
            eprintln!("the sweep failed: {error:#}");
        }
    }
}
