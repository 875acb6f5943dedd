//! Sweeps over damaged rows of SQLite.

use std::sync::Arc;

use anyhow::ensure;
use callboard_core::base::id::Tenant;
use callboard_core::base::time::Clock;
use callboard_core::care::{DeadLetters, Redriver};
use callboard_core::job::{DeadLetter, Job, JobStore};
use callboard_embedded::{SqliteCounterStore, SqliteJobStore, SqliteSlotStore};
use callboard_testkit::contract::clock::FakeClock;
use callboard_testkit::contract::damaged_records::sweeps_do_the_rest;
use callboard_testkit::contract::samples::{HOUR, request};

use crate::{damage, make_logs};

/// States that are no JSON, have no fields, or have a lease of another form; an id of another length.
const FORMS: [&str; 4] = [
    "UPDATE jobs SET state = '{\"status\": \"no' WHERE id = ?1",
    "UPDATE jobs SET state = '{}' WHERE id = ?1",
    "UPDATE jobs SET state = json_set(state, '$.lease', 'gone', '$.given_up', 7) WHERE id = ?1",
    "UPDATE jobs SET id = CAST(hex(id) AS BLOB) WHERE id = ?1",
];

#[tokio::test]
async fn a_sweep_does_the_rest_where_rows_are_damaged() -> anyhow::Result<()> {
    let (database, folder) = crate::make_database()?;
    let (logs, _logs) = make_logs().await?;
    let store = Arc::new(SqliteJobStore::new(database.clone()));
    let slots = Arc::new(SqliteSlotStore::new(database.clone()));
    let counters = Arc::new(SqliteCounterStore::new(database));
    let damage = async |job, form: usize| damage(folder.path(), FORMS[form], job);
    sweeps_do_the_rest(store.clone(), slots, counters, Arc::new(logs), FORMS.len(), damage).await?;
    ensure!(store.newest().await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_redrive_does_the_rest_where_a_request_is_damaged() -> anyhow::Result<()> {
    let (database, folder) = crate::make_database()?;
    let store = SqliteJobStore::new(database);
    let clock = FakeClock::default();
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let job = Job::new(Tenant::default(), request(), clock.now(), HOUR);
        store.create(&job).await?;
        let letter = DeadLetter {
            at: clock.now(),
            receives: 5,
            error: "It was received in vain.".to_owned(),
        };
        store.bury(job.id, letter).await?;
        jobs.push(job.id);
    }
    damage(folder.path(), "UPDATE jobs SET request = '{' WHERE id = ?1", jobs[1])?;
    let redriver = Redriver {
        store: &store,
        clock: &clock,
        dispatcher: None,
        by: "ann",
    };
    let wanted = DeadLetters {
        tenant: Tenant::default(),
        title: None,
        limit: 10,
        before: None,
    };
    assert_eq!(redriver.dead_letters(&wanted).await?.jobs, [jobs[0]]);
    Ok(())
}
