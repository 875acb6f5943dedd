//! SQLite as a store of API keys.

use anyhow::ensure;
use callboard_core::access::{KeyKind, KeyStore};
use callboard_core::base::store_error::StoreError;
use callboard_embedded::{Database, SqliteKeyStore};
use callboard_testkit::contract::key_store::create;
use callboard_testkit::contract::samples::{now, tenant};
use rusqlite::Connection;
use tempfile::TempDir;

pub(crate) async fn make() -> anyhow::Result<(SqliteKeyStore, TempDir)> {
    let (database, folder) = crate::make_database()?;
    Ok((SqliteKeyStore::new(database), folder))
}

#[tokio::test]
async fn sqlite_keeps_keys_and_their_changes_when_it_is_opened_again() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let open = || Database::open(&folder.path().join("callboard.db"));
    let (database, tenant) = (open()?, tenant());
    let store = SqliteKeyStore::new(database.clone());
    let (used, revoked) = (create(&store, &tenant).await?, create(&store, &tenant).await?);
    store.used(&used.id, now()).await?;
    let revoked = store.revoke(&revoked.id, now()).await?;
    let used = store.get(&used.id).await?;
    database.close().await;
    let store = SqliteKeyStore::new(open()?);
    assert_eq!(store.get(&used.id).await?, used);
    assert_eq!(store.get(&revoked.id).await?, revoked);
    Ok(())
}

/// A scope that only a newer release knows, and what is no JSON.
#[tokio::test]
async fn a_damaged_key_is_accepted_for_nothing_and_keeps_no_other_from_being_listed() -> anyhow::Result<()> {
    for damage in ["json_set(key, '$.scopes[0]', 'jobs:bury')", "'{'"] {
        let ((store, folder), tenant) = (make().await?, tenant());
        let mut keys = Vec::new();
        for _ in 0..3 {
            keys.push(create(&store, &tenant).await?);
        }
        keys.sort_by(|one, other| one.id.cmp(&other.id));
        let damaged = keys.remove(1).id;
        let update = format!("UPDATE api_keys SET key = {damage} WHERE id = ?1");
        let connection = Connection::open(folder.path().join("callboard.db"))?;
        ensure!(connection.execute(&update, [damaged.as_str()])? == 1);
        let read = store.get(&damaged).await;
        ensure!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
        let page = store.list(&tenant, KeyKind::Key, None, 2).await?;
        assert_eq!((page.keys, page.has_more), (keys, false));
    }
    Ok(())
}
