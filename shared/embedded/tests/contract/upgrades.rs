//! What earlier releases left is carried on with.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use callboard_core::access::{KeyKind, KeyStore};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper};
use callboard_core::credential::CredentialStore;
use callboard_core::job::{JobStatus, JobStore, Lease};
use callboard_core::output::{Check, LogKey, LogStore, Stream};
use callboard_core::policy::Quotas;
use callboard_core::request::{Lane, Reason};
use callboard_core::run::{Allowance, Dispatcher, Held};
use callboard_embedded::{
    Database, FileLogStore, SqliteCounterStore, SqliteCredentialStore, SqliteJobStore, SqliteKeyStore, SqliteQueue,
    SqliteSlotStore,
};
use callboard_testkit::contract::clock::FakeClock;
use callboard_testkit::contract::credential_store::password;
use callboard_testkit::contract::key_store::create;
use callboard_testkit::contract::samples::{given_up, ids, now, query, success};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

const SILENCE: Duration = Duration::from_secs(40);
const ENDED: &str = "01a21fe3-8a99-77d2-8190-429c4400d180";
const RAN: &str = "01a21fe4-a83d-74bc-887e-f48c50086496";
const WAITED: &str = "01a21fe4-c83f-75d0-a314-76f116a5386b";
/// A job that was successful, one that failed, one that ran, one that waited, and one that was canceled.
const BEFORE_KINDS: [&str; 5] = [
    "01a22728-2223-77cf-909d-cac2f82a5ad8",
    "01a22728-226e-7599-9a35-141b72e9cad6",
    "01a22728-3a19-71c8-ad16-50524383996e",
    "01a22728-49ee-77dd-a63c-532805a8c77e",
    "01a22728-4a10-7409-9b43-9a95e7a63a09",
];

#[tokio::test]
async fn a_version_that_a_running_earlier_release_writes_back_does_no_harm() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("callboard.db");
    Database::open(&path)?.close().await;
    Connection::open(&path)?.pragma_update(None, "user_version", 4)?;
    let database = Database::open(&path)?;
    assert_eq!(database.fault().await, None);
    Connection::open(&path)?.pragma_update(None, "user_version", 99)?;
    let fault = loop {
        // a check holds for two seconds
        if let Some(fault) = database.fault().await {
            break fault;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(fault.contains("schema version 99"), "{fault}");
    let version: u32 = Connection::open(&path)?.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    assert_eq!(version, 99);
    Ok(())
}

#[tokio::test]
async fn the_jobs_of_the_first_release_are_kept_and_carried_on_with() -> anyhow::Result<()> {
    for before in ["", "DROP TABLE credentials; PRAGMA user_version = 1;"] {
        let folder = left(before)?;
        let (database, logs) = open(folder.path())?;
        let (store, clock) = (SqliteJobStore::new(database.clone()), FakeClock::default());
        let queue = SqliteQueue::new(database.clone(), Arc::new(clock.clone()));
        let [ended, ran, waited] = [ENDED, RAN, WAITED].map(|id| id.parse::<JobId>());
        let (ended, ran, waited) = (ended?, ran?, waited?);
        let job = store.get(ended, at_that_time()).await?;
        assert_eq!(job.state.status, JobStatus::Successful);
        assert_eq!(
            job.expires_at() - Duration::from_secs(30 * 24 * 3600),
            job.state.finished_at.unwrap_or(job.created_at)
        );
        assert_eq!(store.get(waited, clock.now()).await?.state.status, JobStatus::Pending);
        let (jobs, at) = (Arc::new(store.clone()), Arc::new(clock.clone()));
        let slots = Arc::new(SqliteSlotStore::new(database.clone()));
        let counters = Arc::new(SqliteCounterStore::new(database.clone()));
        let sweeper = Sweeper {
            allowance: Allowance::new(jobs.clone(), counters, slots.clone(), Quotas::default(), at.clone()),
            dispatcher: Dispatcher {
                store: jobs.clone(),
                queue: Arc::new(queue.clone()),
                slots,
                quotas: Quotas::default(),
                clock: at,
            },
            store: jobs,
            logs: Arc::new(logs.clone()),
            clock: Arc::new(clock.clone()),
            settings: SweepSettings::new(SILENCE, Duration::from_secs(1_000_000_000)),
            held: Held::default(),
            seen: Seen::default(),
            damage: Damage::default(),
            doubt: Doubt::default(),
        };
        assert_eq!(sweeper.sweep().await?.lost, 0);
        clock.advance(SILENCE);
        assert_eq!(sweeper.sweep().await?.lost, 1);
        let state = store.get(ran, clock.now()).await?.state;
        assert_eq!(
            (state.status, state.attempt, state.dead_letter),
            (JobStatus::Pending, 1, None)
        );
        clock.advance(SILENCE);
        let mut received = Vec::new();
        while let Some(message) = queue.try_receive(Lane::Programs, Duration::from_secs(60)).await? {
            received.push(message.ticket.id);
            queue.acknowledge(message).await?;
        }
        received.sort();
        received.dedup();
        assert_eq!(received, [ran, waited]);
        let credentials = SqliteCredentialStore::new(database, folder.path().join("callboard.key"));
        credentials
            .create(&Tenant::default(), "a", &password("long enough")?, now())
            .await?;
        credentials.get(&Tenant::default(), "a").await?;
    }
    Ok(())
}

/// Its streams are there and no journal; what it was writing when it was killed is cut off.
#[tokio::test]
async fn the_output_of_a_job_that_ran_under_the_first_release_is_kept() -> anyhow::Result<()> {
    let folder = left("")?;
    let (_database, logs) = open(folder.path())?;
    let job: JobId = RAN.parse()?;
    let read = async |stream| {
        logs.read(
            LogKey {
                job,
                attempt: 1,
                stream,
            },
            0..u64::MAX,
        )
        .await
    };
    let (stdout, events) = (read(Stream::Stdout).await?, read(Stream::Events).await?);
    let (path, cut) = (
        folder.path().join("logs").join(RAN).join("1/events.jsonl"),
        "{\"uuid\": \"cut o",
    );
    fs::write(path, [&*events, cut.as_bytes()].concat())?;
    callboard_core::output::seal_lost(&logs, job, 1).await?;
    assert_eq!(
        (read(Stream::Stdout).await?, read(Stream::Events).await?),
        (stdout, events)
    );
    let manifest = logs.manifest(job, 1).await?.unwrap_or_default();
    assert_eq!((manifest.segments, manifest.events, manifest.complete), (1, 4, false));
    Ok(())
}

/// Lists show labels and no words in the place of data, also of what was kept before they did.
#[tokio::test]
async fn the_words_that_earlier_releases_kept_are_read_as_data() -> anyhow::Result<()> {
    let folder = left(
        r#"UPDATE jobs SET playbook = '(inline)' WHERE status = 'pending';
        UPDATE jobs SET request = json_set(request, '$.options.labels', json('{"team": "web"}')) WHERE status = 'pending';
        UPDATE jobs SET state = json_set(state, '$.cancel',
            json('{"by": "the API client at 192.0.2.1", "at": "2026-11-20T22:00:00.000Z"}')) WHERE status = 'successful';"#,
    )?;
    let (database, _logs) = open(folder.path())?;
    let store = SqliteJobStore::new(database);
    let page = store.list(&query(&Tenant::default()), at_that_time()).await?;
    assert_eq!(page.jobs.len(), 3);
    for job in page.jobs {
        let waits = job.status == JobStatus::Pending;
        assert_eq!(
            (job.title.is_none(), job.labels.len()),
            (waits, usize::from(waits)),
            "{job:?}"
        );
    }
    let ended = store.get(ENDED.parse()?, at_that_time()).await?.state;
    assert_eq!(ended.cancel.map(|cancel| cancel.by).as_deref(), Some("ip:192.0.2.1"));
    assert_eq!(ended.given_up, []);
    Ok(())
}

/// That release knew one kind of job, and kept what is Ansible's beside what is every job's.
#[tokio::test]
async fn the_jobs_of_the_release_before_kinds_are_read_and_carried_on_with() -> anyhow::Result<()> {
    let folder = left_by("before_kinds", "")?;
    let (database, logs) = open(folder.path())?;
    let (store, clock) = (SqliteJobStore::new(database.clone()), FakeClock::default());
    let [well, failed, ran, waited, canceled] = BEFORE_KINDS.map(|id| id.parse::<JobId>());
    let (well, failed, ran, waited, canceled) = (well?, failed?, ran?, waited?, canceled?);
    let then = Timestamp::from_millis(1_795_953_300_000);

    let job = store.get(well, then).await?;
    assert_eq!(
        (job.request.kind, job.request.title.as_deref()),
        (None, Some("hello.yml"))
    );
    assert_eq!(job.request.options.labels.get("team").map(String::as_str), Some("web"));
    assert_eq!(job.request.work.0["extra_vars"], json!({"greeting": "hi"}));
    let outcome = job.state.outcome.context("an outcome")?;
    assert_eq!((outcome.status, outcome.usage), (JobStatus::Successful, None));
    assert_eq!(outcome.detail.0["stats"]["localhost"]["ok"], 1);
    let outcome = store.get(failed, then).await?.state.outcome.context("an outcome")?;
    assert_eq!(outcome.reason.as_ref().map(Reason::as_str), Some("playbook_failed"));
    assert_eq!(outcome.detail.0["failures"][0]["host"], "localhost");
    assert_eq!(store.get(canceled, then).await?.state.status, JobStatus::Canceled);
    let running = store.get(ran, then).await?;
    let progress = running.state.progress.clone().context("progress")?;
    assert_eq!(progress.0["current_task"], "Wait");
    let page = store.list(&query(&Tenant::default()), then).await?;
    assert_eq!(ids(&page), [canceled, waited, ran, failed, well]);
    assert!(page.damaged.is_empty());

    for (id, complete) in [(well, true), (failed, true), (ran, false)] {
        let (manifest, mut check) = (logs.manifest(id, 1).await?, Check::new());
        for head in logs.segments(id, 1).await? {
            let mut content = Vec::new();
            for stream in Stream::ALL {
                let key = LogKey {
                    job: id,
                    attempt: 1,
                    stream,
                };
                content.extend(logs.read(key, head.range(stream)).await?);
            }
            check.add(&head, &content);
        }
        let found = check.finish(manifest.as_ref());
        assert_eq!(manifest.is_some_and(|manifest| manifest.complete), complete);
        assert_eq!(found.faults.is_empty(), complete, "{found:?}");
    }

    // what ran is lost and runs again, what waited runs: both are claimed and end as jobs of this release do
    let lease = running.state.lease.context("a lease")?;
    let seized = Lease::new();
    assert_eq!(store.running(10).await?, [(ran, lease)]);
    store.seize(ran, lease, seized).await?;
    store.release(ran, seized.token, given_up(1), clock.now()).await?;
    for (id, attempts) in [(ran, 2), (waited, 1)] {
        let held = Lease::new();
        let claimed = store.claim(id, held, clock.now()).await?;
        assert_eq!(claimed.state.attempt, attempts);
        store.finish(id, held.token, success(), clock.now()).await?;
        assert_eq!(store.get(id, clock.now()).await?.state.status, JobStatus::Successful);
    }
    Ok(())
}

/// Also when an earlier release, which does not know of keys, has written its own version back meanwhile.
#[tokio::test]
async fn what_earlier_releases_left_has_a_place_for_api_keys_and_keeps_them() -> anyhow::Result<()> {
    for release in ["first_release", "before_kinds"] {
        let (folder, tenant) = (left_by(release, "")?, Tenant::default());
        let (database, _logs) = open(folder.path())?;
        let store = SqliteKeyStore::new(database.clone());
        assert!(store.is_empty().await?);
        let key = create(&store, &tenant).await?;
        database.close().await;
        Connection::open(folder.path().join("callboard.db"))?.pragma_update(None, "user_version", 6)?;
        let (database, _logs) = open(folder.path())?;
        let store = SqliteKeyStore::new(database);
        assert_eq!(store.list(&tenant, KeyKind::Key, None, 10).await?.keys, [key]);
    }
    Ok(())
}

fn at_that_time() -> Timestamp {
    Timestamp::from_millis(1_795_831_500_000)
}

/// Makes a data folder as the first release left it, changed by some SQL.
fn left(then: &str) -> anyhow::Result<TempDir> {
    left_by("first_release", then)
}

/// Makes a data folder as a release left it, changed by some SQL.
fn left_by(release: &str, then: &str) -> anyhow::Result<TempDir> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(release);
    let folder = tempfile::tempdir()?;
    let connection = Connection::open(folder.path().join("callboard.db"))?;
    connection.execute_batch(&fs::read_to_string(fixture.join("callboard.sql"))?)?;
    connection.execute_batch(then)?;
    for job in fs::read_dir(fixture.join("logs"))? {
        let job = job?;
        let (from, to) = (
            job.path().join("1"),
            folder.path().join("logs").join(job.file_name()).join("1"),
        );
        fs::create_dir_all(&to)?;
        for file in fs::read_dir(from)? {
            let file = file?;
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(folder)
}

fn open(folder: &Path) -> anyhow::Result<(Database, FileLogStore)> {
    let database = Database::open(&folder.join("callboard.db"))?;
    Ok((database, FileLogStore::new(folder.join("logs"))))
}
