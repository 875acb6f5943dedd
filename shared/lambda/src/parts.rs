//! The adapters for AWS, and the use cases built on them.

use std::sync::Arc;
use std::time::Duration;

use callboard_api::{Access, AnswerLimits, ApiSettings, App, AuditLimits, Bodies, Followers, Gate, Hosts, Live};
use callboard_aws::{
    DynamoDbAuditLog, DynamoDbBreakerStore, DynamoDbCounterStore, DynamoDbHostKeyStore, DynamoDbIdempotencyStore,
    DynamoDbJobStore, DynamoDbKeyStore, DynamoDbSlotStore, DynamoDbStatsStore, JobStoreSettings, S3ArchiveCache,
    S3LogStore, SecretsManagerCredentialStore, SqsQueue, sdk_config,
};
use callboard_core::access::{Authenticator, KeyStore, Requester, TokenVerifier};
use callboard_core::audit::AuditLog;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper};
use callboard_core::credential::{CredentialStore, HostKeyStore};
use callboard_core::job::JobStore;
use callboard_core::output::LogStore;
use callboard_core::request::Lane;
use callboard_core::run::{Allowance, ArchiveCache, Dispatcher, Held, shortest_silence};
use callboard_core::submit::{IdempotencyStore, Submitter};
use callboard_kind_ansible::catalog::Elsewhere;
use callboard_oidc::OidcVerifier;
use callboard_policy::Policies;
use callboard_secrets::{Endpoints, Environment, Resolver};

use crate::health::StoreHealth;
use crate::services::Services;
use crate::settings::{Answers, Authorization, Settings};

/// The largest answer of a function is 6 MB, in base64: room for this many bytes and the headers.
const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024;
/// API Gateway waits 30 s for an answer.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(25);
/// Lambda streams 200 MB: room for this many bytes, and for the message that goes beyond.
const MAX_STREAM_BYTES: u64 = 180 * 1024 * 1024;
/// Lambda does not tell a function that its client has gone: so long it goes on for nobody.
const MAX_STREAM_TIME: Duration = Duration::from_secs(5 * 60);
/// Lambda takes events of up to 6 MB, including the request's headers and context.
const MAX_BODY_BYTES: usize = 5 * 1024 * 1024;
/// The chunk size for reading output: as large as memory allows, so that few requests to S3 are needed.
const CHUNK_BYTES: u64 = 256 * 1024;
/// How long a worker goes on with a job whose lease it cannot renew.
pub(crate) const LEASE: Duration = Duration::from_secs(15);
/// How often a worker renews a lease.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(4);
/// How long a playbook has to end after SIGTERM.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long a lease may stay unchanged.
const SILENCE: Duration = Duration::from_secs(22);
const _: () = assert!(SILENCE.as_millis() >= shortest_silence(LEASE, GRACE).as_millis());
const _: () = assert!(LEASE.as_millis() >= 3 * HEARTBEAT.as_millis());
/// How often to look for new output: each look is a request to S3 that costs money.
const POLL: Duration = Duration::from_secs(1);
/// Containers are tasks of ECS: whoever starts one does not wait for its end.
const CONTAINERS: Lane = Lane::Calls;

/// The adapters of one deployment.
#[derive(Clone)]
pub struct Parts {
    /// The job records.
    pub store: Arc<dyn JobStore>,
    /// The jobs that wait.
    pub queue: Arc<SqsQueue>,
    /// What gives jobs to the queue.
    pub dispatcher: Dispatcher,
    /// How much each tenant may use.
    pub allowance: Allowance,
    /// The output of jobs.
    pub logs: Arc<dyn LogStore>,
    /// The credentials.
    pub credentials: Arc<dyn CredentialStore>,
    /// The idempotency keys.
    pub keys: Arc<dyn IdempotencyStore>,
    /// The API keys.
    pub api_keys: Arc<dyn KeyStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// The archives that sources were resolved to.
    pub archives: Arc<dyn ArchiveCache>,
    /// The host keys that jobs have accepted.
    pub host_keys: Arc<dyn HostKeyStore>,
    /// What requests may reach.
    pub policies: Policies,
    /// The circuit breakers of services.
    pub breakers: Arc<DynamoDbBreakerStore>,
    /// The statistics of jobs.
    pub stats: Arc<DynamoDbStatsStore>,
    /// The services that jobs may call.
    pub services: Arc<Services>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    settings: Settings,
}

impl Parts {
    /// Makes the adapters; this sends no request to AWS yet.
    pub async fn connect(settings: Settings) -> Self {
        let config = sdk_config().await;
        let store = JobStoreSettings {
            table: settings.table.clone(),
            bucket: settings.bucket.clone(),
            retention: settings.retention,
        };
        let store: Arc<dyn JobStore> = Arc::new(DynamoDbJobStore::new(&config, store));
        let queue = SqsQueue::new(&config, settings.queue_url.clone(), settings.calls_url.clone());
        let (queue, clock): (_, Arc<dyn Clock>) = (Arc::new(queue), Arc::new(SystemClock));
        let counters = Arc::new(DynamoDbCounterStore::new(&config, settings.table.clone()));
        let slots = Arc::new(DynamoDbSlotStore::new(&config, settings.table.clone()));
        let quotas = settings.policies.every.quotas().clone();
        Self {
            allowance: Allowance::new(store.clone(), counters, slots.clone(), quotas.clone(), clock.clone()),
            dispatcher: Dispatcher {
                store: store.clone(),
                queue: queue.clone(),
                slots,
                quotas,
                clock: clock.clone(),
            },
            store,
            queue,
            logs: Arc::new(S3LogStore::new(&config, settings.bucket.clone())),
            credentials: Arc::new(SecretsManagerCredentialStore::new(
                &config,
                settings.secrets_prefix.clone(),
            )),
            keys: Arc::new(DynamoDbIdempotencyStore::new(&config, settings.table.clone())),
            api_keys: Arc::new(DynamoDbKeyStore::new(&config, settings.table.clone())),
            audit: Arc::new(DynamoDbAuditLog::new(
                &config,
                settings.table.clone(),
                settings.audit_retention,
                Arc::new(SystemClock),
            )),
            archives: Arc::new(S3ArchiveCache::new(&config, settings.bucket.clone())),
            host_keys: Arc::new(DynamoDbHostKeyStore::new(&config, settings.table.clone())),
            policies: settings.policies.clone(),
            breakers: Arc::new(DynamoDbBreakerStore::new(&config, settings.table.clone())),
            stats: Arc::new(DynamoDbStatsStore::new(&config, settings.table.clone())),
            services: Arc::new(Services::new(&config, &settings)),
            clock,
            settings,
        }
    }

    /// Returns the resolver of jobs' secrets; it uses the function's own identity where the policy allows that.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn secrets(&self) -> anyhow::Result<Resolver> {
        let settings = callboard_secrets::Settings {
            own_prefix: Some(self.settings.secrets_prefix.clone()),
            endpoints: Endpoints::from_environment(),
        };
        let (credentials, policy) = (self.credentials.clone(), self.policies.every.clone());
        Ok(Resolver::new(credentials, policy, Arc::new(Environment), settings)?)
    }

    /// Returns as whom messages of other systems come.
    #[must_use]
    pub fn of_messages(&self) -> Requester {
        Requester::of(self.policies.every.callers().of_messages())
    }

    /// Returns as whom events and schedules come.
    #[must_use]
    pub fn of_events(&self) -> Requester {
        Requester::of(self.policies.every.callers().of_events())
    }

    /// Returns how many jobs may wait.
    pub(crate) fn max_queued(&self) -> u32 {
        self.settings.max_queued
    }

    /// Makes the use case that accepts jobs.
    #[must_use]
    pub fn submitter(&self) -> Submitter {
        Submitter {
            store: self.store.clone(),
            dispatcher: self.dispatcher.clone(),
            allowance: self.allowance.clone(),
            // only the worker's image knows which playbooks exist
            kinds: self
                .policies
                .clone()
                .kinds(Arc::new(Elsewhere), self.services.in_force(), CONTAINERS),
            credentials: self.credentials.clone(),
            keys: self.keys.clone(),
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            retention: self.settings.retention,
            max_queued: self.settings.max_queued,
        }
    }

    /// Makes the sweeper.
    #[must_use]
    pub fn sweeper(&self) -> Sweeper {
        Sweeper {
            store: self.store.clone(),
            dispatcher: self.dispatcher.clone(),
            allowance: self.allowance.clone(),
            logs: self.logs.clone(),
            clock: self.clock.clone(),
            settings: SweepSettings::new(SILENCE, self.settings.retention),
            held: Held::default(),
            seen: Seen::default(),
            damage: Damage::default(),
            doubt: Doubt::none(),
        }
    }

    /// Makes the state that the API's routes work with.
    ///
    /// # Errors
    /// No HTTP client can be made for the issuers of tokens.
    pub fn app(&self) -> anyhow::Result<App> {
        Ok(App {
            submitter: self.submitter(),
            store: self.store.clone(),
            logs: self.logs.clone(),
            credentials: self.credentials.clone(),
            keys: self.api_keys.clone(),
            access: self.access()?,
            audit: self.audit.clone(),
            audit_limits: AuditLimits::default(),
            stats: self.stats.clone(),
            services: self.services.in_force(),
            clock: self.clock.clone(),
            health: Arc::new(StoreHealth {
                store: self.store.clone(),
                clock: self.clock.clone(),
            }),
            settings: ApiSettings {
                max_body_bytes: MAX_BODY_BYTES,
                sync_wait: self.settings.sync_wait,
                poll: POLL,
                chunk_bytes: CHUNK_BYTES,
                answers: Some(limits(self.settings.answers)),
            },
            // a function answers one request at a time, so Lambda's concurrency limits their number
            followers: Followers::new(1),
            live: Live::alone(self.store.clone(), self.logs.clone(), self.clock.clone(), POLL),
            bodies: Bodies::new(MAX_BODY_BYTES),
            gate: Gate {
                hosts: Hosts::Unchecked,
                origins: self.settings.origins.clone(),
            },
        })
    }

    fn access(&self) -> anyhow::Result<Access> {
        let policy = self.policies.every.clone();
        match self.settings.authorization {
            Authorization::Iam => Ok(Access::aws(policy)),
            Authorization::Local => Ok(Access::local()),
            Authorization::Callboard => {
                let rules = policy.callers().oidc.clone();
                let tokens: Option<Arc<dyn TokenVerifier>> = match rules.is_empty() {
                    true => None,
                    false => Some(Arc::new(OidcVerifier::new(rules, &self.clock)?)),
                };
                let authenticator = Authenticator::new(self.api_keys.clone(), tokens, self.clock.clone());
                Ok(Access::shown(Arc::new(authenticator)))
            }
        }
    }
}

fn limits(answers: Answers) -> AnswerLimits {
    match answers {
        Answers::Whole => AnswerLimits {
            max_bytes: MAX_ANSWER_BYTES,
            max_time: MAX_ANSWER_TIME,
            is_whole: true,
        },
        Answers::Streamed => AnswerLimits {
            max_bytes: MAX_STREAM_BYTES,
            max_time: MAX_STREAM_TIME,
            is_whole: false,
        },
    }
}
