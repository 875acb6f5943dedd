//! Forgetting what is over, and what is damaged, on SQLite and files.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use callboard_core::access::{ApiKey, KeyStore};
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::care::Doubt;
use callboard_core::job::{Filter, HistoryQuery, JobStore};
use callboard_core::output::{LogKey, Stream};
use callboard_embedded::{
    Database, FileLogStore, Forgetter, SqliteAuditLog, SqliteCounterStore, SqliteIdempotencyStore, SqliteJobStore,
    SqliteKeyStore, Stuck,
};
use callboard_testkit::contract::clock::FakeClock;
use callboard_testkit::contract::key_store::{key_of, session_of};
use callboard_testkit::contract::log_store::append;
use callboard_testkit::contract::samples::{HOUR, create, create_claimed, query, success};
use tempfile::TempDir;

use crate::damage;

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

/// A data folder, and what forgets in it.
struct World {
    folder: TempDir,
    store: Arc<SqliteJobStore>,
    clock: FakeClock,
    forgetter: Forgetter,
}

#[tokio::test]
async fn output_that_cannot_be_removed_keeps_no_other_from_it_and_is_tried_again() -> anyhow::Result<()> {
    let world = World::open()?;
    let [first, stuck, last] = [world.ended().await?, world.ended().await?, world.ended().await?];
    let (folder, aside) = (world.logs().join(stuck.to_string()), world.folder.path().join("aside"));
    fs::rename(&folder, &aside)?;
    fs::write(&folder, "no folder")?;
    world.clock.advance(HOUR * 2);
    for _ in 0..2 {
        world.forgetter.forget().await?;
        assert_eq!(world.kept()?, [stuck.to_string()]);
    }
    for id in [first, last] {
        assert!(matches!(
            world.store.get(id, world.clock.now() - MONTH).await,
            Err(StoreError::NotFound)
        ));
    }
    world.store.get(stuck, world.clock.now() - MONTH).await?;
    fs::remove_file(&folder)?;
    fs::rename(&aside, &folder)?;
    world.clock.advance(HOUR - SECOND);
    world.forgetter.forget().await?;
    assert_eq!(world.kept()?, [stuck.to_string()]);
    world.clock.advance(SECOND);
    world.forgetter.forget().await?;
    assert!(world.kept()?.is_empty());
    let gone = world.store.get(stuck, world.clock.now() - MONTH).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    Ok(())
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_deletes_nothing_before_it_has_gone_on_for_an_hour() -> anyhow::Result<()> {
    let world = World::open()?;
    let job = world.ended().await?;
    world.forgetter.begin().await?;
    world.forgetter.forget().await?;
    world.clock.set_ahead(MONTH);
    for _ in 0..59 {
        world.forgetter.forget().await?;
        assert_eq!(world.kept()?, [job.to_string()]);
        world.clock.advance(Duration::from_secs(60));
    }
    world.clock.set_ahead(Duration::ZERO);
    world.forgetter.forget().await?;
    world.store.get(job, world.clock.now() - HOUR).await?;

    world.clock.set_ahead(MONTH);
    world.forgetter.forget().await?;
    world.clock.advance(HOUR);
    world.forgetter.forget().await?;
    assert!(world.kept()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_start_long_after_the_newest_job_deletes_nothing_for_an_hour() -> anyhow::Result<()> {
    let world = World::open()?;
    let job = world.ended().await?;
    world.clock.advance(MONTH);
    world.forgetter.begin().await?;
    world.forgetter.forget().await?;
    assert_eq!(world.kept()?, [job.to_string()]);
    world.clock.advance(HOUR);
    world.forgetter.forget().await?;
    assert!(world.kept()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn one_sweep_forgets_no_more_than_a_batch() -> anyhow::Result<()> {
    let world = World::open()?;
    for _ in 0..205 {
        world.ended().await?;
    }
    world.clock.advance(HOUR * 2);
    for left in [5, 0] {
        world.forgetter.forget().await?;
        assert_eq!(world.kept()?.len(), left);
    }
    Ok(())
}

#[tokio::test]
async fn sessions_are_forgotten_at_their_end_and_keys_never() -> anyhow::Result<()> {
    let (world, tenant) = (World::open()?, Tenant::default());
    let (keys, until) = (&world.forgetter.api_keys, world.clock.now() + HOUR);
    let of = |key: ApiKey| ApiKey {
        expires_at: Some(until),
        ..key
    };
    let (key, session) = (of(key_of(&tenant)?), of(session_of(&tenant)?));
    keys.create(&key).await?;
    keys.create(&session).await?;
    world.clock.advance(HOUR - SECOND);
    world.forgetter.forget().await?;
    assert_eq!(keys.get(&session.id).await?, session);
    world.clock.advance(SECOND);
    world.forgetter.forget().await?;
    assert!(matches!(keys.get(&session.id).await, Err(StoreError::NotFound)));
    assert_eq!(keys.get(&key.id).await?, key);
    Ok(())
}

#[tokio::test]
async fn a_damaged_row_keeps_no_other_from_being_found() -> anyhow::Result<()> {
    let world = World::open()?;
    let store = &world.store;
    let (damaged_run, (run, lease)) = (create_claimed(&**store).await?.0, create_claimed(&**store).await?);
    let (damaged, waits) = (create(&**store).await?, create(&**store).await?);
    for id in [damaged_run.id, damaged.id] {
        damage(
            world.folder.path(),
            "UPDATE jobs SET state = '{\"status\"' WHERE id = ?1",
            id,
        )?;
    }
    assert_eq!(store.running(1).await?, [(run.id, lease)]);
    let later = world.clock.now() + HOUR;
    assert_eq!(
        store.due(later, 1).await?.iter().map(|job| job.id).collect::<Vec<_>>(),
        [waits.id]
    );
    assert_eq!(store.pending_since(later, 1).await?, [waits.id]);
    let given_up = HistoryQuery {
        filter: Filter {
            dead_letter: true,
            ..Filter::default()
        },
        ..query(&Tenant::default())
    };
    let given_up = store.list(&given_up, world.clock.now()).await?;
    assert!(given_up.jobs.is_empty() && given_up.damaged.is_empty());
    let page = store.list(&query(&Tenant::default()), world.clock.now()).await?;
    assert_eq!(
        page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        [waits.id, run.id]
    );
    assert_eq!((&*page.damaged, page.total), (&[damaged.id, damaged_run.id][..], 4));
    let read = store.get(damaged.id, world.clock.now()).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    Ok(())
}

impl World {
    fn open() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(&folder.path().join("callboard.db"))?;
        let (store, clock) = (Arc::new(SqliteJobStore::new(database.clone())), FakeClock::default());
        let forgetter = Forgetter {
            store: store.clone(),
            logs: Arc::new(FileLogStore::new(folder.path().join("logs"))),
            keys: Arc::new(SqliteIdempotencyStore::new(database.clone())),
            counters: Arc::new(SqliteCounterStore::new(database.clone())),
            api_keys: Arc::new(SqliteKeyStore::new(database.clone())),
            audit: Arc::new(SqliteAuditLog::new(database, Arc::new(clock.clone()))),
            audit_retention: HOUR,
            clock: Arc::new(clock.clone()),
            doubt: Doubt::default(),
            stuck: Stuck::default(),
        };
        Ok(Self {
            folder,
            store,
            clock,
            forgetter,
        })
    }

    fn logs(&self) -> std::path::PathBuf {
        self.folder.path().join("logs")
    }

    /// Adds a job that has ended, is kept for an hour, and has output.
    async fn ended(&self) -> anyhow::Result<JobId> {
        let (job, lease) = create_claimed(&*self.store).await?;
        let key = LogKey {
            job: job.id,
            attempt: 1,
            stream: Stream::Stdout,
        };
        append(&*self.forgetter.logs, key, 0, b"output\n").await?;
        self.store
            .finish(job.id, lease.token, success(), self.clock.now())
            .await?;
        Ok(job.id)
    }

    /// Returns the jobs whose output is there.
    fn kept(&self) -> anyhow::Result<Vec<String>> {
        let entries = fs::read_dir(self.logs())?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }
}
