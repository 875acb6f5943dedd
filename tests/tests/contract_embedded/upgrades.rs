//! What earlier releases left is carried on with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::care::{Damage, Doubt, Seen, SweepSettings, Sweeper};
use callboard_core::credential::CredentialStore;
use callboard_core::job::{JobStatus, JobStore};
use callboard_core::output::{LogKey, LogStore, Stream};
use callboard_core::run::Held;
use callboard_embedded::{Database, FileLogStore, SqliteCredentialStore, SqliteJobStore, SqliteQueue};
use callboard_tests::contract::clock::FakeClock;
use callboard_tests::contract::credential_store::password;
use callboard_tests::contract::samples::{now, query};
use rusqlite::Connection;
use tempfile::TempDir;

const SILENCE: Duration = Duration::from_secs(40);
const ENDED: &str = "01a21fe3-8a99-77d2-8190-429c4400d180";
const RAN: &str = "01a21fe4-a83d-74bc-887e-f48c50086496";
const WAITED: &str = "01a21fe4-c83f-75d0-a314-76f116a5386b";

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
        let sweeper = Sweeper {
            store: Arc::new(store.clone()),
            queue: Arc::new(queue.clone()),
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
        while let Some(message) = queue.try_receive(Duration::from_secs(60)).await? {
            queue.acknowledge(message).await?;
            received.push(message.job_id);
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

fn at_that_time() -> Timestamp {
    Timestamp::from_millis(1_795_831_500_000)
}

/// Makes a data folder as the first release left it, changed by some SQL.
fn left(then: &str) -> anyhow::Result<TempDir> {
    let (folder, fixture) = (tempfile::tempdir()?, fixture());
    let connection = Connection::open(folder.path().join("callboard.db"))?;
    connection.execute_batch(&fs::read_to_string(fixture.join("callboard.sql"))?)?;
    connection.execute_batch(then)?;
    for job in [ENDED, RAN] {
        let (from, to) = (
            fixture.join("logs").join(job).join("1"),
            folder.path().join("logs").join(job).join("1"),
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

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/first_release")
}
