//! SQLite as an audit log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use callboard_core::audit::{AuditFilter, AuditFindings, AuditLog, Deed};
use callboard_core::base::time::{Clock, SystemClock};
use callboard_embedded::{Database, SqliteAuditLog};
use callboard_testkit::contract::audit_log::{all, done};
use callboard_testkit::contract::clock::FakeClock;
use callboard_testkit::contract::samples::tenant;
use futures_util::future::try_join_all;
use rusqlite::Connection;
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn make() -> anyhow::Result<(SqliteAuditLog, TempDir)> {
    let (database, folder) = crate::make_database()?;
    Ok((SqliteAuditLog::new(database, Arc::new(SystemClock)), folder))
}

/// Adds ten entries, damages the log with a statement, and checks it.
async fn damaged(statement: &str) -> anyhow::Result<AuditFindings> {
    let ((log, folder), tenant) = (make().await?, tenant());
    for number in 1..=10 {
        log.append(done(&tenant, "ci", Deed::JobCancel, &number.to_string()))
            .await?;
    }
    let found = log.check().await?;
    ensure!(
        found.faults.is_empty() && (found.entries, found.chains) == (10, 1),
        "{found:?}"
    );
    Connection::open(folder.path().join("callboard.db"))?.execute_batch(statement)?;
    Ok(log.check().await?)
}

#[tokio::test]
async fn whatever_is_changed_removed_swapped_or_put_in_is_told() -> anyhow::Result<()> {
    for (statement, expected) in [
        (
            "UPDATE audit SET entry = json_set(entry, '$.by', 'key:other') WHERE number = 4",
            &["entry 4 of"][..],
        ),
        ("UPDATE audit SET entry = '{' WHERE number = 4", &["entry 4:"]),
        ("DELETE FROM audit WHERE number IN (4, 5)", &["entries 4 to 5 of"]),
        ("DELETE FROM audit WHERE number > 8", &["entries 9 to 10:"]),
        ("DELETE FROM audit", &["entries 1 to 10:"]),
        (
            "UPDATE audit SET number = -4 WHERE number = 4; UPDATE audit SET number = 4 WHERE number = 7;
             UPDATE audit SET number = 7 WHERE number = -4",
            &["entry 4:", "entry 7:"],
        ),
        (
            "INSERT INTO audit (number, at, tenant, action, object, entry)
             SELECT 11, at, tenant, action, object, json_set(entry, '$.number', 11) FROM audit WHERE number = 3",
            &["entry 11 of"],
        ),
        ("UPDATE audit SET tenant = 'other' WHERE number = 4", &["entry 4:"]),
    ] {
        let found = damaged(statement).await?;
        for (told, expected) in found.faults.iter().zip(expected) {
            ensure!(told.starts_with(expected), "{statement}: {told}");
        }
        ensure!(found.faults.len() >= expected.len(), "{statement}: {found:?}");
    }
    Ok(())
}

/// An entry that is made anew, with a hash that fits, does not fit what follows.
#[tokio::test]
async fn an_entry_that_was_replaced_by_another_whole_one_is_told() -> anyhow::Result<()> {
    let ((log, folder), (other, other_folder), tenant) = (make().await?, make().await?, tenant());
    for log in [&log, &other] {
        for number in 1..=3 {
            log.append(done(&tenant, "ci", Deed::JobCancel, &number.to_string()))
                .await?;
        }
    }
    let file = |folder: &TempDir| folder.path().join("callboard.db");
    let database = Connection::open(file(&folder))?;
    let forged = "UPDATE audit SET entry = (SELECT entry FROM other.audit WHERE number = 2) WHERE number = 2";
    database.execute("ATTACH ?1 AS other", [file(&other_folder).display().to_string()])?;
    database.execute_batch(forged)?;
    let found = log.check().await?;
    ensure!(
        found
            .faults
            .iter()
            .any(|told| told.starts_with("entry 2: another chain")),
        "{found:?}"
    );
    Ok(())
}

/// Two processes write to one data folder: the service, and the command line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_open_the_database_add_to_one_chain() -> anyhow::Result<()> {
    let ((log, folder), tenant) = (make().await?, tenant());
    let open = |path: &Path| Database::open(&path.join("callboard.db"));
    let again = SqliteAuditLog::new(open(folder.path())?, Arc::new(SystemClock));
    let entry = || done(&tenant, "ci", Deed::KeyCreate, "id");
    let adds = (0..30).flat_map(|_| [log.append(entry()), again.append(entry())]);
    try_join_all(adds).await?;
    let found = again.check().await?;
    ensure!(
        found.faults.is_empty() && (found.entries, found.chains) == (60, 1),
        "{found:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_over_is_forgotten_from_the_beginning_and_the_chain_goes_on() -> anyhow::Result<()> {
    let ((database, _folder), clock, tenant) = (crate::make_database()?, FakeClock::default(), tenant());
    let log = SqliteAuditLog::new(database, Arc::new(clock.clone()));
    for number in 1..=4 {
        log.append(done(&tenant, "ci", Deed::JobCancel, &number.to_string()))
            .await?;
        clock.advance(DAY);
    }
    log.forget(clock.now() - DAY * 2, 100).await?;
    let left = all(&log, &tenant, &AuditFilter::default(), 10).await?;
    assert_eq!(left.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4, 3]);
    let found = log.check().await?;
    ensure!((found.faults.len(), found.notes.len()) == (0, 1), "{found:?}");
    // the last one stays, and what follows has its hash
    log.forget(clock.now() + DAY, 100).await?;
    log.append(done(&tenant, "ci", Deed::JobCancel, "5")).await?;
    let left = all(&log, &tenant, &AuditFilter::default(), 10).await?;
    assert_eq!(left[0].previous.as_ref(), Some(&left[1].sha256));
    ensure!(log.check().await?.faults.is_empty());
    Ok(())
}

/// The log does not end because somebody damaged its last entry.
#[tokio::test]
async fn behind_a_damaged_last_entry_the_log_goes_on_and_the_damage_stays_told() -> anyhow::Result<()> {
    let ((log, folder), tenant) = (make().await?, tenant());
    let add = || log.append(done(&tenant, "ci", Deed::JobCancel, "1"));
    add().await?;
    add().await?;
    Connection::open(folder.path().join("callboard.db"))?
        .execute_batch("UPDATE audit SET entry = '{' WHERE number = 2")?;
    add().await?;
    add().await?;
    let found = log.check().await?;
    assert_eq!(found.entries, 4);
    ensure!(found.faults.len() == 2, "{found:?}");
    ensure!(
        found.faults[0].starts_with("entry 2:") && found.faults[1].starts_with("entry 3:"),
        "{found:?}"
    );
    Ok(())
}
