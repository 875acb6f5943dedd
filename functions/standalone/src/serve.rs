//! `callboard serve`: the whole service in one process.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_ansible::{AnsibleRunner, AnsibleSettings, Home, PlaybookFolder};
use callboard_api::{Access, ApiSettings, App, AuditLimits, Bodies, Followers, Gate, Hosts, Live};
use callboard_core::access::Authenticator;
use callboard_core::base::hex::hex;
use callboard_core::request::Lane;
use callboard_core::run::{Limits, Runner, Runners};
use callboard_embedded::{FolderLock, SqliteStatsStore};
use callboard_kind_service::in_force::InForce;
use rustix::process::DumpableBehavior;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cli::ServeArguments;
use crate::health::StandaloneHealth;
use crate::http::{self, Front, Proxies, Tls};
use crate::parts::Parts;
use crate::services::Source;
use crate::signals::Signals;
use crate::{descriptors, isolation, job_users, logging, setup, workers};

const HEARTBEAT: Duration = Duration::from_secs(1);
/// The same for calls, of which there may be very many at a time.
const CALLS_HEARTBEAT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);
/// The chunk size for sending output. One chunk per request is in memory while it waits to be sent.
const CHUNK_BYTES: u64 = 16 * 1024;
/// The room for large bodies, in thirds of the largest: one, and smaller ones while it arrives. Each takes three times its size while
/// it is parsed and checked, one after the other.
const ROOM_FOR_BODIES: usize = 4;

/// Serves until it is told to stop.
pub(crate) async fn serve(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let common = &arguments.common;
    callboard_allocator::return_large_allocations();
    logging::start(common.log_format, "info");
    // a playbook runs as the same user: it must not read this process's variables or memory
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let room = descriptors::divide(descriptors::raise(), &arguments.load)?;
    let users = job_users::find(arguments.isolated.job_user.as_ref(), arguments.load.workers)?;
    let playbooks = arguments.playbooks.open()?;
    let tls = arguments.tls.both();
    let front = Front {
        limit: room.connections,
        tls: tls.map(|(certificate, key)| Tls::open(certificate, key)).transpose()?,
        proxies: Proxies::new(&arguments.trusted_proxies),
    };
    let listener = TcpListener::bind(&arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}; choose another with --listen", arguments.listen))?;
    let address = listener.local_addr()?;
    // while this lock is held, no other process takes the workers' jobs: they need no lease that expires
    let data = setup::data(&common.data)?;
    let _lock = FolderLock::take(&data)?;
    let parts = Parts::open(common)?.with_issuer(arguments.oidc.issuer())?;
    let loopback = address.ip().is_loopback();
    let access = access(&parts, loopback, !arguments.trusted_proxies.is_empty()).await?;
    let services = Source::open(common.services.as_deref())?;
    let environment = setup::environment(common).await?;
    let mut signals = Signals::listen()?;
    let folders = Parts::folders(common)?;
    job_users::admit(users.as_ref(), &environment.python, &folders, &playbooks, &data).await?;
    let settings = AnsibleSettings {
        environment,
        playbooks: playbooks.clone(),
        typed_playbooks: Vec::new(),
        work: common.work.clone(),
        home: Home::Private,
        working_folder: None,
        color: true,
        configured_inventory_first: false,
        extra_arguments: Vec::new(),
        grace: Duration::from_secs(common.grace),
        isolation: isolation::isolation(arguments, &folders, users)?,
        viewer: None,
    };
    let runner = parts.runner(common, settings, folders.clone())?;
    runner.warm_up().await?;
    let mut runners: Vec<Arc<dyn Runner>> = vec![runner.clone()];
    let calls = parts.call_runners(common, folders, instance(&data))?;
    runners.extend(calls.runners);
    let runners = Runners::new(runners);

    let (drain, draining) = watch::channel(false);
    let (shutdown, limits) = watch::channel(false);
    let (hang_up, hung_up) = watch::channel(false);
    let gate = gate(arguments, loopback);
    let app = app(
        arguments,
        &parts,
        &runner,
        (playbooks, services.in_force()),
        (draining.clone(), hung_up.clone()),
        (gate, access),
    );
    let mut jobs = JoinSet::new();
    let limits = Limits {
        deadline: None,
        shutdown: limits,
    };
    let worker = |lane, heartbeat| parts.worker(common, runners.clone(), lane, heartbeat, None);
    for _ in 0..arguments.load.workers {
        let worker = worker(Lane::Programs, HEARTBEAT);
        jobs.spawn(workers::work(parts.clone(), worker, draining.clone(), limits.clone()));
    }
    let worker = worker(Lane::Calls, CALLS_HEARTBEAT);
    jobs.spawn(workers::call(
        parts.clone(),
        worker,
        room.calls,
        draining.clone(),
        limits,
    ));
    let registry = services.in_force();
    let sweeper = parts.sweeper(common);
    let forgetter = parts.forgetter(sweeper.doubt.clone(), arguments.audit_retention);
    let sweeping = tokio::spawn(workers::keep_sweeping(sweeper, forgetter, runner.clone(), services));
    let reaping = tokio::spawn(workers::keep_reaping(calls.containers, registry));
    let http = tokio::spawn(http::listen(listener, callboard_api::router(app), front, hung_up));
    tracing::info!(%address, "listening");

    let signal = signals.next().await;
    tracing::info!(
        signal = signal.name(),
        "stopping; another signal stops running jobs at once"
    );
    drain.send_replace(true);
    tokio::select! {
        _ = timeout(Duration::from_secs(arguments.shutdown_grace), all(&mut jobs)) => {}
        _ = signals.next() => {}
    }
    shutdown.send_replace(true);
    all(&mut jobs).await;
    sweeping.abort();
    reaping.abort();
    hang_up.send_replace(true);
    drop(http.await);
    parts.database.close().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Returns the service's name at an engine of containers: the same one whenever it serves this data folder.
fn instance(data: &Path) -> String {
    format!("serve-{}", hex(&Sha256::digest(data.as_os_str().as_bytes())[..8]))
}

fn app(
    arguments: &ServeArguments,
    parts: &Parts,
    runner: &Arc<AnsibleRunner>,
    (playbooks, services): (PlaybookFolder, Arc<InForce>),
    (draining, stopping): (watch::Receiver<bool>, watch::Receiver<bool>),
    (gate, access): (Gate, Access),
) -> App {
    let kinds = parts
        .policies
        .clone()
        .kinds(Arc::new(playbooks), services.clone(), Lane::Programs);
    App {
        submitter: parts.submitter(&arguments.common, kinds, arguments.max_queued),
        store: parts.store.clone(),
        logs: parts.logs.clone(),
        credentials: parts.credentials.clone(),
        keys: parts.api_keys.clone(),
        access,
        audit: parts.audit.clone(),
        audit_limits: AuditLimits::default(),
        stats: Arc::new(SqliteStatsStore::new(parts.database.clone())),
        services,
        clock: parts.clock.clone(),
        health: Arc::new(StandaloneHealth {
            database: parts.database.clone(),
            logs: parts.logs.clone(),
            runner: runner.clone(),
            draining,
        }),
        settings: ApiSettings {
            max_body_bytes: arguments.max_body,
            sync_wait: Duration::from_secs(arguments.sync_wait),
            poll: POLL,
            chunk_bytes: CHUNK_BYTES,
            answers: None,
        },
        followers: Followers::new(arguments.load.max_followers.into()).until(stopping),
        live: Live::new(parts.store.clone(), parts.logs.clone(), parts.clock.clone(), POLL),
        bodies: Bodies::new(arguments.max_body.div_ceil(3).saturating_mul(ROOM_FOR_BODIES)),
        gate,
    }
}

/// Without keys and issuers, the service answers on a loopback address only, and to no proxy: where nobody but this machine's users can
/// reach it.
async fn access(parts: &Parts, loopback: bool, proxied: bool) -> anyhow::Result<Access> {
    let tokens = parts.tokens()?;
    let authenticator = Authenticator::new(parts.api_keys.clone(), tokens, parts.clock.clone());
    let nobody = authenticator.knows_nobody().await?;
    let alone = loopback && !proxied;
    ensure!(
        alone || !nobody,
        "whoever reaches this address, or a trusted proxy, could run anything as this user, since there is no API key. Make one and start again:\n  \
         callboard keys create --name admin --scope admin\n  callboard serve --listen ADDRESS:PORT\nOr leave --listen and --trusted-proxy out: then \
         only this machine can reach the service. (With other data than the default, give both commands the same --data.)"
    );
    if nobody {
        tracing::info!("there is no API key: everybody on this machine may do everything");
    }
    let authenticator = Arc::new(authenticator);
    Ok(match alone {
        true => Access::alone(authenticator),
        false => Access::shown(authenticator),
    })
}

/// On a loopback address, only requests for this machine's own names are let in: another name that resolves to it is an attack.
fn gate(arguments: &ServeArguments, loopback: bool) -> Gate {
    let hosts = arguments.allowed_hosts.clone();
    Gate {
        hosts: match loopback || !hosts.is_empty() {
            true => Hosts::Listed(hosts),
            false => Hosts::Any,
        },
        origins: arguments.allowed_origins.clone(),
    }
}

async fn all(jobs: &mut JoinSet<()>) {
    while jobs.join_next().await.is_some() {}
}
