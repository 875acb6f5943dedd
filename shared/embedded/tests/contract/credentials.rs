//! SQLite: what the key file and the sealing make of the credential store.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::CredentialStore;
use callboard_embedded::{Database, SqliteCredentialStore};
use callboard_testkit::contract::credential_store::{all, every_kind, password};
use callboard_testkit::contract::samples::now;
use futures_util::future::try_join_all;
use rusqlite::Connection;
use tempfile::TempDir;

const CANARY: &str = "c4n4ry-value-of-a-credential";

pub(crate) async fn make() -> anyhow::Result<(SqliteCredentialStore, TempDir)> {
    let folder = tempfile::tempdir()?;
    Ok((open(folder.path())?, folder))
}

fn open(folder: &Path) -> anyhow::Result<SqliteCredentialStore> {
    let database = Database::open(&folder.join("callboard.db"))?;
    Ok(SqliteCredentialStore::new(database, key_file(folder)))
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("callboard.key")
}

#[tokio::test]
async fn the_key_is_its_owners_and_no_file_has_a_value() -> anyhow::Result<()> {
    let (store, folder) = make().await?;
    let tenant = Tenant::default();
    ensure!(!key_file(folder.path()).exists(), "a key that nothing needs");
    store.create(&tenant, "a", &password(CANARY)?, now()).await?;
    store
        .rotate(&tenant, "a", &password(&format!("{CANARY}-2"))?, now())
        .await?;
    let mode = fs::metadata(key_file(folder.path()))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut files = 0;
    for entry in fs::read_dir(folder.path())? {
        let bytes = fs::read(entry?.path())?;
        ensure!(!contains(&bytes, CANARY.as_bytes()), "a value is in a file");
        files += 1;
    }
    ensure!(files >= 2, "{files} files");
    Ok(())
}

#[tokio::test]
async fn of_several_processes_that_make_the_first_key_all_use_one() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stores: Vec<_> = (0..6).map(|_| open(folder.path())).collect::<Result<_, _>>()?;
    let tenant = Tenant::default();
    let creates = stores.iter().enumerate().map(|(number, store)| {
        let tenant = &tenant;
        async move {
            let value = password(&format!("value-{number}"))?;
            anyhow::Ok(store.create(tenant, &format!("c{number}"), &value, now()).await?)
        }
    });
    try_join_all(creates).await?;
    for number in 0..6 {
        let value = stores[0].get(&tenant, &format!("c{number}")).await?;
        ensure!(value == password(&format!("value-{number}"))?);
    }
    assert_eq!(keys(folder.path())?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_new_key_seals_every_credential_and_the_former_ones_open_copies() -> anyhow::Result<()> {
    let (store, folder) = make().await?;
    let (tenant, other) = (Tenant::default(), Tenant::from("other".to_owned()));
    let credentials = every_kind()?;
    for (number, credential) in credentials.iter().enumerate() {
        let tenant = if number % 2 == 0 { &tenant } else { &other };
        store.create(tenant, &format!("c{number}"), credential, now()).await?;
    }
    let before = all(&store, &tenant).await?;
    let copy = tempfile::tempdir()?;
    Connection::open(folder.path().join("callboard.db"))?
        .execute("VACUUM INTO ?1", [copy.path().join("callboard.db").to_str()])?;
    let first = keys(folder.path())?;
    let rotated = store.rotate_key().await?;
    assert_eq!(rotated.credentials, credentials.len());
    let both = keys(folder.path())?;
    ensure!(both.len() == 2 && both[1] == first[0] && both[0].starts_with(&rotated.key_id));
    assert_eq!(all(&store, &tenant).await?, before);

    fs::copy(key_file(folder.path()), key_file(copy.path()))?;
    write_keys(folder.path(), &both[..1])?;
    for folder in [folder.path(), copy.path()] {
        let store = open(folder)?;
        for (number, credential) in credentials.iter().enumerate() {
            let tenant = if number % 2 == 0 { &tenant } else { &other };
            ensure!(store.get(tenant, &format!("c{number}")).await? == *credential);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_key_file_that_cannot_be_used_is_named_with_what_to_do() -> anyhow::Result<()> {
    let (store, folder) = make().await?;
    let tenant = Tenant::default();
    store.create(&tenant, "a", &password(CANARY)?, now()).await?;
    let path = key_file(folder.path());
    let whole = fs::read_to_string(&path)?;
    let key = keys(folder.path())?.remove(0);
    let changed = whole.replace(&key, &format!("{}A{}", &key[..12], &key[13..]));
    for (content, mode, told) in [
        (None, 0o600, "put it back"),
        (Some(whole.as_str()), 0o640, "mode 640"),
        (Some(""), 0o600, "has no key"),
        (Some("# nothing\n"), 0o600, "has no key"),
        (Some("nonsense\n"), 0o600, "line 1"),
        (Some(changed.as_str()), 0o600, "line 3"),
    ] {
        fs::remove_file(&path).ok();
        if let Some(content) = content {
            fs::write(&path, content)?;
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        for error in [
            store.get(&tenant, "a").await.err(),
            store.create(&tenant, "b", &password(CANARY)?, now()).await.err(),
            store.rotate(&tenant, "a", &password(CANARY)?, now()).await.err(),
            store.rotate_key().await.err(),
        ] {
            check(error, &path, told, &key)?;
        }
        ensure!(store.describe(&tenant, "a").await.is_ok(), "what is shown needs no key");
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_of_another_key_or_a_changed_row_is_not_opened() -> anyhow::Result<()> {
    let (store, folder) = make().await?;
    let (tenant, other) = (Tenant::default(), tempfile::tempdir()?);
    store.create(&tenant, "a", &password(CANARY)?, now()).await?;
    store.create(&tenant, "b", &password("another-value")?, now()).await?;
    let stranger = open(other.path())?;
    stranger.create(&tenant, "a", &password("a-strangers")?, now()).await?;
    let path = key_file(folder.path());
    let own = fs::read(&path)?;
    fs::copy(key_file(other.path()), &path)?;
    let key = keys(folder.path())?.remove(0);
    check(store.get(&tenant, "a").await.err(), &path, "has no key", &key)?;
    check(store.rotate_key().await.err(), &path, "has no key", &key)?;
    assert_eq!(keys(folder.path())?, [key]);
    fs::write(&path, own)?;
    ensure!(store.get(&tenant, "a").await? == password(CANARY)?);

    let key = keys(folder.path())?.remove(0);
    let connection = Connection::open(folder.path().join("callboard.db"))?;
    for change in [
        "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE name = 'b'),
            nonce = (SELECT nonce FROM credentials WHERE name = 'b') WHERE name = 'a'",
        "UPDATE credentials SET kind = 'vault' WHERE name = 'a'",
        "UPDATE credentials SET tenant = 'other', name = 'a' WHERE name = 'b'",
        "UPDATE credentials SET nonce = x'00' WHERE name = 'a'",
        "UPDATE credentials SET sealed = zeroblob(64) WHERE name = 'a'",
    ] {
        connection.execute_batch("SAVEPOINT before")?;
        connection.execute(change, [])?;
        connection.execute_batch("RELEASE before")?;
        let found = if change.contains("'other'") {
            store.get(&Tenant::from("other".to_owned()), "a").await
        } else {
            store.get(&tenant, "a").await
        };
        check(found.err(), &path, "was changed outside", &key)?;
    }
    Ok(())
}

fn check(error: Option<StoreError>, path: &Path, told: &str, key: &str) -> anyhow::Result<()> {
    let error = error.with_context(|| format!("no error ({told})"))?;
    ensure!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    let text = format!("{} {error:?}", causes(&error));
    ensure!(
        text.contains(told) && text.contains(&path.display().to_string()),
        "{text}"
    );
    let secret = key.split(' ').nth(1).context("a key")?;
    ensure!(!text.contains(CANARY) && !text.contains(secret), "a secret is told");
    Ok(())
}

fn keys(folder: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(key_file(folder))?;
    Ok(text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

fn write_keys(folder: &Path, keys: &[String]) -> anyhow::Result<()> {
    Ok(fs::write(key_file(folder), keys.join("\n"))?)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
