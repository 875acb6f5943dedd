//! [`CredentialStore`] on SQLite: values are sealed with the newest key of a file next to the database.

use std::path::PathBuf;

use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::credential::{Credential, CredentialPage, CredentialStore, CredentialSummary};
use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::credential_rows::{self as rows, Row, Subject};
use crate::database::Database;
use crate::key_file::{KeyError, KeyFile};
use crate::sealing::{Key, Sealed};

/// Keeps credentials in the `credentials` table.
#[derive(Clone)]
pub struct SqliteCredentialStore {
    database: Database,
    keys: KeyFile,
}

/// The result of a key change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRotation {
    /// The id of the new key.
    pub key_id: String,
    /// How many credentials were sealed again.
    pub credentials: usize,
    /// The file that holds the new key and the earlier ones.
    pub key_file: PathBuf,
}

impl SqliteCredentialStore {
    /// Uses a database and a key file; the key file is made when the first credential is stored.
    #[must_use]
    pub fn new(database: Database, key_file: PathBuf) -> Self {
        let keys = KeyFile::new(key_file);
        Self { database, keys }
    }

    /// Makes a new key and seals every credential with it: all of them, or none. The earlier keys stay in the file, for
    /// copies of the database.
    ///
    /// # Errors
    /// A credential cannot be opened, or the file or the database cannot be written; then no credential has changed.
    pub async fn rotate_key(&self) -> Result<KeyRotation, StoreError> {
        let files = self.keys.clone();
        self.database
            .write(move |connection| {
                let former = sealing_keys(&files, connection)?;
                let new = Key::generate()?;
                let mut resealed = Vec::new();
                for row in rows::all(connection)? {
                    let sealed = seal(&new, &row.subject, &open(&files, &former, &row)?)?;
                    resealed.push((row.subject, sealed));
                }
                let credentials = resealed.len();
                let key_id = new.id().to_owned();
                files.replace(&[vec![new], former].concat())?;
                for (subject, sealed) in resealed {
                    rows::reseal(connection, &subject, &sealed)?;
                }
                Ok(KeyRotation {
                    key_id,
                    credentials,
                    key_file: files.path().to_owned(),
                })
            })
            .await
    }
}

#[async_trait]
impl CredentialStore for SqliteCredentialStore {
    async fn create(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError> {
        let (subject, plain) = (Subject::new(tenant, name, credential.kind()), plain(credential)?);
        let files = self.keys.clone();
        self.database
            .write(move |connection| {
                let sealed = seal(newest(&sealing_keys(&files, connection)?, &files)?, &subject, &plain)?;
                let row = Row::new(subject, sealed, now);
                rows::insert(connection, &row)?;
                Ok(row.summary())
            })
            .await
    }

    async fn rotate(
        &self,
        tenant: &Tenant,
        name: &str,
        credential: &Credential,
        now: Timestamp,
    ) -> Result<CredentialSummary, StoreError> {
        let (subject, plain) = (Subject::new(tenant, name, credential.kind()), plain(credential)?);
        let files = self.keys.clone();
        self.database
            .write(move |connection| {
                let mut row = rows::get(connection, &subject.tenant, &subject.name)?;
                if row.subject.kind != subject.kind {
                    return Err(StoreError::Conflict);
                }
                row.sealed = seal(newest(&sealing_keys(&files, connection)?, &files)?, &subject, &plain)?;
                row.updated_at = now;
                rows::update(connection, &row)?;
                Ok(row.summary())
            })
            .await
    }

    async fn get(&self, tenant: &Tenant, name: &str) -> Result<Credential, StoreError> {
        let (files, tenant, name) = (self.keys.clone(), tenant.as_str().to_owned(), name.to_owned());
        self.database
            .read(move |connection| {
                let row = rows::get(connection, &tenant, &name)?;
                // read the keys after the row: a rotation writes the file first
                let plain = open(&files, &files.read()?, &row)?;
                serde_json::from_slice(&plain).map_err(|_| unreadable())
            })
            .await
    }

    async fn describe(&self, tenant: &Tenant, name: &str) -> Result<CredentialSummary, StoreError> {
        let (tenant, name) = (tenant.as_str().to_owned(), name.to_owned());
        self.database
            .read(move |connection| Ok(rows::get(connection, &tenant, &name)?.summary()))
            .await
    }

    async fn list(&self, tenant: &Tenant, after: Option<&str>, limit: u32) -> Result<CredentialPage, StoreError> {
        let (tenant, after) = (tenant.as_str().to_owned(), after.unwrap_or_default().to_owned());
        self.database
            .read(move |connection| {
                let found = rows::following(connection, &tenant, &after, limit.saturating_add(1))?;
                Ok(CredentialPage::new(
                    found.into_iter().map(Row::summary).collect(),
                    limit,
                ))
            })
            .await
    }

    async fn remove(&self, tenant: &Tenant, name: &str) -> Result<(), StoreError> {
        let (tenant, name) = (tenant.as_str().to_owned(), name.to_owned());
        self.database
            .write(move |connection| rows::delete(connection, &tenant, &name))
            .await
    }
}

/// Returns the keys. Makes the first one if needed, but not if there are credentials: those were sealed with another key.
fn sealing_keys(files: &KeyFile, connection: &Connection) -> Result<Vec<Key>, StoreError> {
    if rows::is_empty(connection)? {
        files.read_or_make()
    } else {
        Ok(files.read()?)
    }
}

fn newest<'a>(keys: &'a [Key], files: &KeyFile) -> Result<&'a Key, StoreError> {
    let empty = || KeyError::Empty(files.path().to_owned());
    Ok(keys.first().ok_or_else(empty)?)
}

fn plain(credential: &Credential) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let json = serde_json::to_vec(credential);
    json.map(Zeroizing::new).map_err(|_| unreadable())
}

fn seal(key: &Key, subject: &Subject, plain: &[u8]) -> Result<Sealed, StoreError> {
    key.seal(plain, &subject.to_bytes()?)
}

/// Opens the value of a row with the key that sealed it.
pub(crate) fn open(files: &KeyFile, keys: &[Key], row: &Row) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let (path, id) = (files.path().to_owned(), row.sealed.key_id.clone());
    let Some(key) = keys.iter().find(|key| key.id() == id) else {
        return Err(KeyError::Unknown { path, id }.into());
    };
    let opened = key.open(&row.sealed, &row.subject.to_bytes()?);
    Ok(opened.ok_or(KeyError::Changed { path, id })?)
}

/// Leaves out Serde's own message, because that would quote the secret.
fn unreadable() -> StoreError {
    StoreError::Corrupt("the value of a credential is not of a form that this release knows; store it again".into())
}
