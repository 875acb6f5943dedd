//! Converts between rows of `credentials` and the domain's types.

use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::credential::{CredentialKind, CredentialSummary};
use rusqlite::{Connection, named_params};

use crate::error::sqlite;
use crate::rows::{column, select, sound, to_json};
use crate::sealing::Sealed;

const COLUMNS: &str = "tenant, name, kind, created_at, updated_at, key_id, nonce, sealed";

/// The credential that a sealed value belongs to.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) tenant: String,
    pub(crate) name: String,
    pub(crate) kind: CredentialKind,
}

/// A row of `credentials`.
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) sealed: Sealed,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl Subject {
    pub(crate) fn new(tenant: &Tenant, name: &str, kind: CredentialKind) -> Self {
        Self {
            tenant: tenant.as_str().to_owned(),
            name: name.to_owned(),
            kind,
        }
    }

    /// Returns the bytes that are authenticated together with the value, so that no row can be passed off as another.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        to_json(&(&self.tenant, &self.name, self.kind)).map(String::into_bytes)
    }
}

impl Row {
    pub(crate) fn new(subject: Subject, sealed: Sealed, now: Timestamp) -> Self {
        Self {
            subject,
            sealed,
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn summary(self) -> CredentialSummary {
        CredentialSummary {
            name: self.subject.name,
            kind: self.subject.kind,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

pub(crate) fn insert(connection: &Connection, row: &Row) -> Result<(), StoreError> {
    let insert = format!(
        "INSERT INTO credentials ({COLUMNS})
         VALUES (:tenant, :name, :kind, :created_at, :updated_at, :key_id, :nonce, :sealed)"
    );
    let mut statement = connection.prepare_cached(&insert).map_err(sqlite)?;
    let inserted = statement.execute(named_params! {
        ":tenant": row.subject.tenant,
        ":name": row.subject.name,
        ":kind": row.subject.kind.as_str(),
        ":created_at": row.created_at.as_millis(),
        ":updated_at": row.updated_at.as_millis(),
        ":key_id": row.sealed.key_id,
        ":nonce": row.sealed.nonce,
        ":sealed": row.sealed.bytes,
    });
    inserted.map(drop).map_err(sqlite)
}

/// Writes the columns that change with a new value.
pub(crate) fn update(connection: &Connection, row: &Row) -> Result<(), StoreError> {
    let update = "UPDATE credentials SET updated_at = ?1 WHERE tenant = ?2 AND name = ?3";
    let params = (row.updated_at.as_millis(), &row.subject.tenant, &row.subject.name);
    connection.execute(update, params).map_err(sqlite)?;
    reseal(connection, &row.subject, &row.sealed)
}

pub(crate) fn reseal(connection: &Connection, subject: &Subject, sealed: &Sealed) -> Result<(), StoreError> {
    let update = "UPDATE credentials SET key_id = ?1, nonce = ?2, sealed = ?3 WHERE tenant = ?4 AND name = ?5";
    let params = (
        &sealed.key_id,
        &sealed.nonce,
        &sealed.bytes,
        &subject.tenant,
        &subject.name,
    );
    connection.execute(update, params).map(drop).map_err(sqlite)
}

pub(crate) fn get(connection: &Connection, tenant: &str, name: &str) -> Result<Row, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM credentials WHERE tenant = ?1 AND name = ?2");
    let found = select(connection, &query, (tenant, name), read)?;
    found.into_iter().next().ok_or(StoreError::NotFound)
}

/// Returns up to `limit` rows of a tenant whose names come after `after`, in order of name. A damaged row is logged and left out.
pub(crate) fn following(
    connection: &Connection,
    tenant: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM credentials WHERE tenant = ?1 AND name > ?2 ORDER BY name");
    let read = |row: &rusqlite::Row<'_>| read(row).map_err(|error| tell(row, &error)).ok();
    sound(connection, &query, (tenant, after), limit, read)
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<Row>, StoreError> {
    each(connection)?.into_iter().map(|(_, row)| row).collect()
}

/// The name of a credential and its row, or why the row cannot be read.
type Named = (String, Result<Row, StoreError>);

/// Returns every row with its name, as far as it can be read.
pub(crate) fn each(connection: &Connection) -> Result<Vec<Named>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM credentials ORDER BY tenant, name");
    select(connection, &query, [], |row| {
        Ok((column(row, "name").unwrap_or_default(), read(row)))
    })
}

pub(crate) fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM credentials LIMIT 1")
        .map_err(sqlite)?;
    statement.exists([]).map(|found| !found).map_err(sqlite)
}

pub(crate) fn delete(connection: &Connection, tenant: &str, name: &str) -> Result<(), StoreError> {
    let delete = "DELETE FROM credentials WHERE tenant = ?1 AND name = ?2";
    match connection.execute(delete, (tenant, name)).map_err(sqlite)? {
        0 => Err(StoreError::NotFound),
        _ => Ok(()),
    }
}

fn tell(row: &rusqlite::Row<'_>, error: &StoreError) {
    let (name, error) = (column::<String>(row, "name").unwrap_or_default(), causes(error));
    tracing::error!(credential.name = name, %error, "a stored credential is damaged; lists leave it out");
}

fn read(row: &rusqlite::Row<'_>) -> Result<Row, StoreError> {
    let kind: String = column(row, "kind")?;
    let kind = serde_json::from_value(kind.into()).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
    Ok(Row {
        subject: Subject {
            tenant: column(row, "tenant")?,
            name: column(row, "name")?,
            kind,
        },
        sealed: Sealed {
            key_id: column(row, "key_id")?,
            nonce: column(row, "nonce")?,
            bytes: column(row, "sealed")?,
        },
        created_at: Timestamp::from_millis(column(row, "created_at")?),
        updated_at: Timestamp::from_millis(column(row, "updated_at")?),
    })
}
