//! Sweeps over damaged rows of SQLite.

use std::sync::Arc;

use anyhow::ensure;
use callboard_embedded::SqliteJobStore;
use callboard_testkit::contract::damaged_records::sweeps_do_the_rest;

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
    let store = Arc::new(SqliteJobStore::new(database));
    sweeps_do_the_rest(store.clone(), Arc::new(logs), FORMS.len(), async |job, form| {
        damage(folder.path(), FORMS[form], job)
    })
    .await?;
    ensure!(store.newest().await?.is_some());
    Ok(())
}
