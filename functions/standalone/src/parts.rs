//! The embedded adapters and the use cases built on them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use callboard_ansible::{AnsibleRunner, AnsibleSettings, FetchLimits, Reach, longest_socket};
use callboard_calls::{Breakers, Calls};
use callboard_core::access::TokenVerifier;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper};
use callboard_core::credential::{CredentialStore, Secrets};
use callboard_core::output::OutputLimits;
use callboard_core::request::{Kinds, Lane};
use callboard_core::run::{
    Allowance, Dispatcher, Held, Outage, Runner, Runners, Worker, WorkerSettings, shortest_silence,
};
use callboard_core::submit::Submitter;
use callboard_embedded::{
    Database, Examination, FileHostKeyStore, FileLogStore, FolderArchiveCache, FolderLock, Forgetter, SqliteAuditLog,
    SqliteBreakerStore, SqliteCounterStore, SqliteCredentialStore, SqliteIdempotencyStore, SqliteJobStore,
    SqliteKeyStore, SqliteQueue, SqliteSlotStore, Stuck,
};
use callboard_oidc::OidcVerifier;
use callboard_policy::{Issuer, Policies};
use callboard_process::{Children, JobFolders};
use callboard_runner_container::ContainerRunner;
use callboard_runner_function::FunctionRunner;
use callboard_runner_http::HttpRunner;
use callboard_runner_shell::ShellRunner;
use callboard_secrets::{Endpoints, Environment, Resolver};

use crate::cli::Common;
use crate::setup;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a job that has ended waits while the disk is full.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long `run` continues a job whose lease it cannot renew. Some time after that, a `serve` on the same data folder considers
/// the job lost.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// How long a lease may stay unchanged before its job is considered lost, in addition to the grace period of a job that is stopped.
const SILENCE: Duration = Duration::from_secs(40);
const _: () = assert!(SILENCE.as_millis() >= shortest_silence(LEASE, Duration::ZERO).as_millis());

/// Everything that works on one data folder.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) store: Arc<SqliteJobStore>,
    pub(crate) queue: Arc<SqliteQueue>,
    pub(crate) counters: Arc<SqliteCounterStore>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) allowance: Allowance,
    pub(crate) logs: Arc<FileLogStore>,
    pub(crate) credentials: Arc<dyn CredentialStore>,
    pub(crate) keys: Arc<SqliteIdempotencyStore>,
    pub(crate) api_keys: Arc<SqliteKeyStore>,
    pub(crate) audit: Arc<SqliteAuditLog>,
    pub(crate) host_keys: Arc<FileHostKeyStore>,
    pub(crate) policies: Policies,
    pub(crate) clock: Arc<dyn Clock>,
    held: Held,
}

/// The runners of calls of services.
pub(crate) struct CallRunners {
    pub(crate) runners: Vec<Arc<dyn Runner>>,
    /// The one of containers, of which some may be left by a process that has died.
    pub(crate) containers: Arc<ContainerRunner>,
}

impl Parts {
    /// Opens the data folder and reads the policy.
    pub(crate) fn open(common: &Common) -> anyhow::Result<Self> {
        let policies = setup::policies(common.policy.as_deref())?;
        let data = setup::data(&common.data)?;
        let database = database(&data)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::new(SqliteJobStore::new(database.clone()));
        let queue = Arc::new(SqliteQueue::new(database.clone(), clock.clone()));
        let counters = Arc::new(SqliteCounterStore::new(database.clone()));
        let slots = Arc::new(SqliteSlotStore::new(database.clone()));
        let quotas = policies.every.quotas().clone();
        Ok(Self {
            allowance: Allowance::new(
                store.clone(),
                counters.clone(),
                slots.clone(),
                quotas.clone(),
                clock.clone(),
            ),
            dispatcher: Dispatcher {
                store: store.clone(),
                queue: queue.clone(),
                slots,
                quotas,
                clock: clock.clone(),
            },
            store,
            queue,
            counters,
            credentials: Arc::new(credentials(database.clone(), &data)),
            keys: Arc::new(SqliteIdempotencyStore::new(database.clone())),
            api_keys: Arc::new(SqliteKeyStore::new(database.clone())),
            audit: Arc::new(audit(database.clone())),
            host_keys: Arc::new(FileHostKeyStore::new(data.clone())),
            policies,
            held: Held::default(),
            database,
            logs: Arc::new(logs(&data)),
            clock,
        })
    }

    /// Accepts tokens of an issuer as well.
    pub(crate) fn with_issuer(mut self, issuer: Option<Issuer>) -> anyhow::Result<Self> {
        if let Some(issuer) = issuer {
            self.policies = self.policies.with_issuer(&issuer).map_err(|faults| {
                let told = faults.iter().map(|(field, detail)| {
                    let flag = if *field == "scopes" { "scope" } else { field };
                    format!("--oidc-{flag} {detail}")
                });
                anyhow!(told.collect::<Vec<_>>().join("\n"))
            })?;
        }
        Ok(self)
    }

    /// Returns what finds out who shows a token, if there are issuers.
    pub(crate) fn tokens(&self) -> anyhow::Result<Option<Arc<dyn TokenVerifier>>> {
        let rules = self.policies.every.callers().oidc.clone();
        if rules.is_empty() {
            return Ok(None);
        }
        Ok(Some(Arc::new(OidcVerifier::new(rules, &self.clock)?)))
    }

    /// Returns what jobs use to get their secrets.
    pub(crate) fn secrets(&self) -> anyhow::Result<Arc<dyn Secrets>> {
        let (credentials, policy) = (self.credentials.clone(), self.policies.every.clone());
        let settings = callboard_secrets::Settings {
            endpoints: Endpoints::from_environment(),
            ..callboard_secrets::Settings::default()
        };
        Ok(Arc::new(Resolver::new(
            credentials,
            policy,
            Arc::new(Environment),
            settings,
        )?))
    }

    /// Makes the runners of calls of services. `instance` is a name that no other process has at the same engine of containers.
    pub(crate) fn call_runners(
        &self,
        common: &Common,
        folders: Arc<JobFolders>,
        instance: String,
    ) -> anyhow::Result<CallRunners> {
        let (secrets, grace) = (self.secrets()?, Duration::from_secs(common.grace));
        let clouds = callboard_runner_function::Settings::from_environment();
        let programs = ShellRunner::new(secrets.clone(), folders, grace, PathBuf::from("/proc/self/exe"));
        let containers = ContainerRunner::new(secrets.clone(), common.engine.clone(), instance, grace);
        let containers = Arc::new(containers);
        let runners: Vec<Arc<dyn Runner>> = vec![
            Arc::new(HttpRunner::new(secrets.clone())),
            Arc::new(FunctionRunner::new(secrets, clouds)?),
            Arc::new(programs),
            containers.clone(),
        ];
        let store = Arc::new(SqliteBreakerStore::new(self.database.clone()));
        let breakers = Breakers::new(store, self.clock.clone());
        let runners = Calls::of(runners, breakers, self.clock.clone());
        Ok(CallRunners { runners, containers })
    }

    /// Makes the folders of running jobs.
    pub(crate) fn folders(common: &Common) -> anyhow::Result<Arc<JobFolders>> {
        let folders = JobFolders::create(&common.work, longest_socket());
        Ok(Arc::new(folders.context("the folder for running jobs cannot be made")?))
    }

    /// Returns what jobs use to get their sources, inventories and secrets.
    fn reach(&self, common: &Common) -> anyhow::Result<Reach> {
        Ok(Reach {
            policy: self.policies.ansible.clone(),
            secrets: self.secrets()?,
            archives: Arc::new(FolderArchiveCache::new(
                setup::cache(common)?.join("archives"),
                common.cache_max_bytes,
            )),
            host_keys: self.host_keys.clone(),
            limits: FetchLimits {
                timeout: Duration::from_secs(common.fetch_timeout),
                max_bytes: common.fetch_max_bytes,
            },
        })
    }

    /// Makes the runner of Ansible jobs.
    pub(crate) fn runner(
        &self,
        common: &Common,
        settings: AnsibleSettings,
        folders: Arc<JobFolders>,
    ) -> anyhow::Result<Arc<AnsibleRunner>> {
        let runner = AnsibleRunner::new(settings, self.reach(common)?, folders, Children::adopt()?);
        Ok(Arc::new(runner))
    }

    /// Makes the submitter, which accepts jobs.
    pub(crate) fn submitter(&self, common: &Common, kinds: Kinds, max_queued: u32) -> Submitter {
        Submitter {
            store: self.store.clone(),
            dispatcher: self.dispatcher.clone(),
            allowance: self.allowance.clone(),
            kinds,
            credentials: self.credentials.clone(),
            keys: self.keys.clone(),
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            retention: DAY * common.retention_days,
            max_queued,
        }
    }

    /// Makes a worker, which executes jobs; it notices a cancel at the next heartbeat. Set `lease` if another process may take over
    /// jobs: a job whose lease cannot be renewed goes on for that long. Without `lease`, as in `serve`, a job that cannot be started
    /// goes back to the queue.
    pub(crate) fn worker(
        &self,
        common: &Common,
        runners: Runners,
        lane: Lane,
        heartbeat: Duration,
        lease: Option<Duration>,
    ) -> Worker {
        Worker {
            store: self.store.clone(),
            dispatcher: self.dispatcher.clone(),
            allowance: self.allowance.clone(),
            lane,
            logs: self.logs.clone(),
            runners,
            clock: self.clock.clone(),
            settings: WorkerSettings {
                lease,
                heartbeat,
                flush: flush(lane),
                look: look(lane),
                output: OutputLimits {
                    max_bytes: common.max_output,
                    max_events: common.max_events,
                },
                patience: PATIENCE,
                puts_back: lease.is_none(),
                requeues: lease.is_none(),
                rate: None,
            },
            held: self.held.clone(),
            outage: Outage::default(),
        }
    }

    /// Makes the sweeper.
    pub(crate) fn sweeper(&self, common: &Common) -> Sweeper {
        Sweeper {
            store: self.store.clone(),
            dispatcher: self.dispatcher.clone(),
            allowance: self.allowance.clone(),
            logs: self.logs.clone(),
            clock: self.clock.clone(),
            settings: SweepSettings::new(SILENCE + Duration::from_secs(common.grace), DAY * common.retention_days),
            held: self.held.clone(),
            seen: Seen::default(),
            damage: Damage::default(),
            doubt: Doubt::default(),
        }
    }

    /// Makes the forgetter, which deletes expired data. It shares `doubt`, so it distrusts the clock whenever the doubt's owner does.
    pub(crate) fn forgetter(&self, doubt: Doubt, audit_days: u32) -> Forgetter {
        Forgetter {
            store: self.store.clone(),
            logs: self.logs.clone(),
            keys: self.keys.clone(),
            counters: self.counters.clone(),
            audit: self.audit.clone(),
            audit_retention: DAY * audit_days,
            api_keys: self.api_keys.clone(),
            clock: self.clock.clone(),
            doubt,
            stuck: Stuck::default(),
        }
    }
}

/// Returns how long output waits to be written. Of calls, there may be very many at a time.
fn flush(lane: Lane) -> Duration {
    match lane {
        Lane::Programs => Duration::from_millis(30),
        Lane::Calls => Duration::from_millis(500),
    }
}

/// Returns how often a job's limits are looked at.
fn look(lane: Lane) -> Duration {
    match lane {
        Lane::Programs => Duration::from_millis(100),
        Lane::Calls => Duration::from_millis(500),
    }
}

/// Opens the database of a data folder.
pub(crate) fn database(data: &Path) -> anyhow::Result<Database> {
    check_upgrade(data)?;
    Database::open(&database_file(data)).with_context(|| format!("the data folder {} cannot be used", data.display()))
}

/// Opens the database of a data folder that has had jobs.
pub(crate) fn database_there(data: &Path) -> anyhow::Result<Database> {
    ensure!(
        database_file(data).exists(),
        "the data folder {} has no jobs yet; name another with --data, or run a job first",
        data.display()
    );
    database(data)
}

/// Refuses to upgrade the database while a service of an earlier release uses it.
fn check_upgrade(data: &Path) -> anyhow::Result<()> {
    let own = std::process::id().to_string();
    let holder = FolderLock::holder(data).ok().flatten().filter(|holder| *holder != own);
    let Some(process) = holder else { return Ok(()) };
    let found = Examination::open(&database_file(data)).ok().flatten();
    let found = found.and_then(|database| database.schema_version().ok());
    ensure!(
        found.is_none_or(|version| version >= Examination::SCHEMA_VERSION),
        "`callboard serve` of an earlier release (process {process}) uses the data folder {}; stop it first, so that its database can be \
         upgraded",
        data.display()
    );
    Ok(())
}

/// Opens the audit log of a data folder.
pub(crate) fn audit(database: Database) -> SqliteAuditLog {
    SqliteAuditLog::new(database, Arc::new(SystemClock))
}

/// Makes the credential store of a data folder.
pub(crate) fn credentials(database: Database, data: &Path) -> SqliteCredentialStore {
    SqliteCredentialStore::new(database, key_file(data))
}

/// Opens the log store of a data folder.
pub(crate) fn logs(data: &Path) -> FileLogStore {
    FileLogStore::new(data.join("logs"))
}

/// Returns the path of a data folder's database file.
pub(crate) fn database_file(data: &Path) -> PathBuf {
    data.join("callboard.db")
}

/// Returns the path of the file with the keys of a data folder's stored credentials.
pub(crate) fn key_file(data: &Path) -> PathBuf {
    data.join("callboard.key")
}
