//! Another tenant's credentials.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use callboard_core::access::Requester;
use callboard_core::base::id::Tenant;
use callboard_core::base::time::SystemClock;
use callboard_core::credential::CredentialStore;
use callboard_core::policy::Quotas;
use callboard_core::run::{Allowance, Dispatcher};
use callboard_core::submit::{SubmitError, Submitter};
use callboard_embedded::{
    Database, SqliteAuditLog, SqliteCounterStore, SqliteCredentialStore, SqliteIdempotencyStore, SqliteJobStore,
    SqliteQueue, SqliteSlotStore,
};
use callboard_tests::contract::credential_store::password;
use callboard_tests::contract::samples::now;
use callboard_tests::kinds::kinds;
use serde_json::json;

#[tokio::test]
async fn a_credential_of_another_tenant_is_as_one_that_is_not_there() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let database = Database::open(&folder.path().join("callboard.db"))?;
    let credentials = SqliteCredentialStore::new(database.clone(), folder.path().join("callboard.key"));
    let (owner, other) = (Tenant::from("owner".to_owned()), Tenant::default());
    credentials
        .create(&owner, "owned", &password("of-the-owner")?, now())
        .await?;
    let clock = Arc::new(SystemClock);
    let store = Arc::new(SqliteJobStore::new(database.clone()));
    let counters = Arc::new(SqliteCounterStore::new(database.clone()));
    let slots = Arc::new(SqliteSlotStore::new(database.clone()));
    let submitter = Submitter {
        allowance: Allowance::new(store.clone(), counters, slots.clone(), Quotas::default(), clock.clone()),
        dispatcher: Dispatcher {
            store: store.clone(),
            queue: Arc::new(SqliteQueue::new(database.clone(), clock.clone())),
            slots,
            quotas: Quotas::default(),
            clock: clock.clone(),
        },
        store,
        audit: Arc::new(SqliteAuditLog::new(database.clone(), clock.clone())),
        keys: Arc::new(SqliteIdempotencyStore::new(database)),
        kinds: kinds(),
        credentials: Arc::new(credentials),
        clock,
        retention: Duration::from_secs(60),
        max_queued: 10,
    };
    let request = |name: &str| json!({"playbook": "site.yml", "credentials": {"password": name}});
    let mut told = Vec::new();
    for name in ["owned", "never-there"] {
        match submitter
            .submit(&Requester::own(other.clone(), "test"), request(name), None)
            .await
        {
            Err(SubmitError::Invalid(faults)) => told.push(format!("{faults:?}").replace(name, "NAME")),
            result => bail!("{name}: {result:?}"),
        }
    }
    ensure!(
        told[0] == told[1] && told[0].contains("/credentials/password"),
        "{told:?}"
    );
    submitter
        .submit(&Requester::own(owner, "test"), request("owned"), None)
        .await?;
    Ok(())
}
