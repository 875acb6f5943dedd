//! The contract suites, on the adapters for one machine.

mod api_keys;
mod archives;
mod audit_log;
mod authenticator;
mod credentials;
mod damaged;
mod forgetting;
mod host_keys;
mod readers;
mod upgrades;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::SystemClock;
use callboard_core::job::{JobQueue, Ticket};
use callboard_core::output::LogStore;
use callboard_core::request::Lane;
use callboard_embedded::{
    Database, FileLogStore, Message, SqliteBreakerStore, SqliteCounterStore, SqliteIdempotencyStore, SqliteJobStore,
    SqliteQueue, SqliteSlotStore, SqliteStatsStore,
};
use callboard_testkit::contract::clock::FakeClock;
use callboard_testkit::contract::job_queue::{TestQueue, VISIBILITY};
use callboard_testkit::contract::log_store::append;
use callboard_testkit::contract::samples::ticket;
use callboard_testkit::contract::stats_store::Counted;
use callboard_testkit::{
    archive_cache_contract, audit_log_contract, breaker_store_contract, counter_store_contract,
    credential_store_contract, host_key_store_contract, idempotency_store_contract, job_queue_contract,
    job_store_contract, key_store_contract, log_store_contract, slot_store_contract, stats_store_contract,
};
use rusqlite::Connection;
use tempfile::TempDir;

mod sqlite_job_store {
    super::job_store_contract!(super::make_store);
}

mod sqlite_idempotency_store {
    super::idempotency_store_contract!(super::make_keys);
}

mod sqlite_breaker_store {
    super::breaker_store_contract!(super::make_breakers);
}

mod sqlite_slot_store {
    super::slot_store_contract!(super::make_slots);
}

mod sqlite_counter_store {
    super::counter_store_contract!(super::make_counters);
}

mod sqlite_stats_store {
    super::stats_store_contract!(super::make_stats);
}

mod sqlite_queue {
    super::job_queue_contract!(super::make_queue);
}

mod sqlite_key_store {
    super::key_store_contract!(super::api_keys::make);
}

mod sqlite_audit_log {
    super::audit_log_contract!(super::audit_log::make);
}

mod file_log_store {
    super::log_store_contract!(super::make_logs);
}

mod sqlite_credential_store {
    super::credential_store_contract!(super::credentials::make);
}

mod file_host_key_store {
    super::host_key_store_contract!(super::host_keys::make);
}

mod folder_archive_cache {
    super::archive_cache_contract!(super::archives::make);
}

/// A queue and the clock that it reads.
struct ClockedQueue {
    queue: SqliteQueue,
    clock: FakeClock,
}

async fn make_store() -> anyhow::Result<(SqliteJobStore, TempDir)> {
    let (database, folder) = make_database()?;
    Ok((SqliteJobStore::new(database), folder))
}

async fn make_queue() -> anyhow::Result<(ClockedQueue, TempDir)> {
    let (database, folder) = make_database()?;
    let clock = FakeClock::default();
    let queue = SqliteQueue::new(database, Arc::new(clock.clone()));
    Ok((ClockedQueue { queue, clock }, folder))
}

async fn make_logs() -> anyhow::Result<(FileLogStore, TempDir)> {
    let folder = tempfile::tempdir()?;
    Ok((FileLogStore::new(folder.path().join("logs")), folder))
}

async fn make_keys() -> anyhow::Result<(SqliteIdempotencyStore, TempDir)> {
    let (database, folder) = make_database()?;
    Ok((SqliteIdempotencyStore::new(database), folder))
}

async fn make_stats() -> anyhow::Result<(Counted<SqliteStatsStore, SqliteJobStore>, TempDir)> {
    let (database, folder) = make_database()?;
    let counted = Counted {
        stats: SqliteStatsStore::new(database.clone()),
        jobs: SqliteJobStore::new(database),
    };
    Ok((counted, folder))
}

async fn make_breakers() -> anyhow::Result<(SqliteBreakerStore, TempDir)> {
    let (database, folder) = make_database()?;
    Ok((SqliteBreakerStore::new(database), folder))
}

async fn make_slots() -> anyhow::Result<(SqliteSlotStore, TempDir)> {
    let (database, folder) = make_database()?;
    Ok((SqliteSlotStore::new(database), folder))
}

async fn make_counters() -> anyhow::Result<(SqliteCounterStore, TempDir)> {
    let (database, folder) = make_database()?;
    Ok((SqliteCounterStore::new(database), folder))
}

fn make_database() -> anyhow::Result<(Database, TempDir)> {
    let folder = tempfile::tempdir()?;
    let database = Database::open(&folder.path().join("callboard.db"))?;
    Ok((database, folder))
}

/// Damages the record of a job in a data folder with a statement whose `?1` is the job's id.
fn damage(folder: &Path, statement: &str, job: JobId) -> anyhow::Result<()> {
    let database = Connection::open(folder.join("callboard.db"))?;
    ensure!(database.execute(statement, [job.as_bytes()])? == 1, "{statement}");
    Ok(())
}

#[async_trait]
impl JobQueue for ClockedQueue {
    async fn send(&self, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        self.queue.send(ticket, delay).await
    }

    async fn is_longer_than(&self, limit: u32, lane: Option<Lane>) -> Result<bool, StoreError> {
        self.queue.is_longer_than(limit, lane).await
    }
}

#[async_trait]
impl TestQueue for ClockedQueue {
    type Receipt = Message;

    async fn receive(&self, lane: Lane) -> anyhow::Result<Option<(JobId, Message)>> {
        let message = self.queue.try_receive(lane, VISIBILITY).await?;
        Ok(message.map(|message| (message.ticket.id, message)))
    }

    async fn acknowledge(&self, receipt: Message) -> anyhow::Result<()> {
        Ok(self.queue.acknowledge(receipt).await?)
    }

    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }
}

#[tokio::test]
async fn sqlite_gives_messages_in_the_order_in_which_they_become_visible() -> anyhow::Result<()> {
    let (ClockedQueue { queue, clock }, _folder) = make_queue().await?;
    let ids: Vec<JobId> = (0..10).map(|_| JobId::new()).collect();
    for (id, delay) in ids.iter().zip([1, 0, 0, 1, 2, 2, 2, 2, 2, 2]) {
        queue.send(&ticket(*id), Duration::from_secs(delay)).await?;
    }
    clock.advance(Duration::from_secs(2));
    for index in [1, 2, 0, 3, 4, 5, 6, 7, 8, 9] {
        let message = queue
            .try_receive(Lane::Programs, VISIBILITY)
            .await?
            .context("a message")?;
        assert_eq!(message.ticket.id, ids[index]);
    }
    Ok(())
}

#[tokio::test]
async fn sqlite_gives_the_messages_of_tenants_in_turn() -> anyhow::Result<()> {
    let (ClockedQueue { queue, .. }, _folder) = make_queue().await?;
    let of = |tenant: &str| Ticket {
        tenant: Tenant::from(tenant.to_owned()),
        ..ticket(JobId::new())
    };
    for tenant in ["web", "web", "web", "web", "db", "db", "mail"] {
        queue.send(&of(tenant), Duration::ZERO).await?;
    }
    queue.send(&of("asleep"), VISIBILITY).await?;
    for expected in ["db", "mail", "web", "db", "web", "web"] {
        let message = queue.try_receive(Lane::Programs, VISIBILITY).await?;
        assert_eq!(message.context("a message")?.ticket.tenant.as_str(), expected);
    }
    // whoever comes late does not wait for all that came before
    queue.send(&of("late"), Duration::ZERO).await?;
    queue.send(&of("web"), Duration::ZERO).await?;
    for expected in ["late", "web", "web"] {
        let message = queue.try_receive(Lane::Programs, VISIBILITY).await?;
        assert_eq!(message.context("a message")?.ticket.tenant.as_str(), expected);
    }
    assert!(queue.try_receive(Lane::Programs, VISIBILITY).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn sqlite_keeps_messages_and_their_times_when_it_is_opened_again() -> anyhow::Result<()> {
    let (folder, clock) = (tempfile::tempdir()?, FakeClock::default());
    let open = || {
        let database = Database::open(&folder.path().join("callboard.db"))?;
        anyhow::Ok(SqliteQueue::new(database, Arc::new(clock.clone())))
    };
    let (held, delayed) = (JobId::new(), JobId::new());
    let queue = open()?;
    queue.send(&ticket(held), Duration::ZERO).await?;
    queue.send(&ticket(delayed), VISIBILITY * 2).await?;
    queue
        .try_receive(Lane::Programs, VISIBILITY)
        .await?
        .context("a message")?;
    drop(queue);
    let queue = open()?;
    assert!(queue.try_receive(Lane::Programs, VISIBILITY).await?.is_none());
    for expected in [held, delayed] {
        clock.advance(VISIBILITY);
        let message = queue
            .try_receive(Lane::Programs, VISIBILITY * 9)
            .await?
            .context("a message")?;
        assert_eq!(message.ticket.id, expected);
        assert_eq!(message.receives, if expected == held { 2 } else { 1 });
    }
    Ok(())
}

#[tokio::test]
async fn sqlite_wakes_a_receiver_that_waits() -> anyhow::Result<()> {
    let (database, _folder) = make_database()?;
    let queue = SqliteQueue::new(database, Arc::new(SystemClock));
    let (waiting, id) = (queue.clone(), JobId::new());
    let receiver = tokio::spawn(async move { waiting.receive(Lane::Programs, VISIBILITY).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    queue.send(&ticket(id), Duration::ZERO).await?;
    let received = tokio::time::timeout(Duration::from_secs(10), receiver).await???;
    assert_eq!(received.ticket.id, id);
    Ok(())
}

#[tokio::test]
async fn files_keep_streams_when_they_are_opened_again() -> anyhow::Result<()> {
    let (logs, folder) = make_logs().await?;
    let key = callboard_core::output::LogKey {
        job: JobId::new(),
        attempt: 1,
        stream: callboard_core::output::Stream::Stdout,
    };
    append(&logs, key, 0, "abc").await?;
    let again = FileLogStore::new(folder.path().join("logs"));
    append(&again, key, 3, "def").await?;
    assert_eq!(again.read(key, 0..10).await?, "abcdef");
    Ok(())
}
