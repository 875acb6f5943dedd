//! [`BreakerStore`] on SQLite.

use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::run::{Admission, Breaker, BreakerRule, BreakerStore};
use rusqlite::{Connection, OptionalExtension};

use crate::database::Database;
use crate::error::sqlite;
use crate::rows;

/// Keeps breakers in the `breakers` table; one that is as new has no row.
#[derive(Clone)]
pub struct SqliteBreakerStore {
    database: Database,
}

impl SqliteBreakerStore {
    /// Uses a database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    async fn look(&self, tenant: &Tenant, name: &str) -> Result<Breaker, StoreError> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.database
            .read(move |connection| get(connection, &tenant, &name))
            .await
    }

    async fn change<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        name: &str,
        change: impl FnOnce(&mut Breaker) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.database
            .write(move |connection| {
                let before = get(connection, &tenant, &name)?;
                let mut breaker = before;
                let told = change(&mut breaker);
                if breaker != before {
                    put(connection, &tenant, &name, breaker)?;
                }
                Ok(told)
            })
            .await
    }
}

#[async_trait]
impl BreakerStore for SqliteBreakerStore {
    async fn admit(
        &self,
        tenant: &Tenant,
        name: &str,
        rule: BreakerRule,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        // a look is cheap, and what it finds is usually closed
        match self.look(tenant, name).await?.admit(rule, now) {
            Admission::Trial => self.change(tenant, name, move |breaker| breaker.admit(rule, now)).await,
            seen => Ok(seen),
        }
    }

    async fn note(
        &self,
        tenant: &Tenant,
        name: &str,
        failed: bool,
        rule: BreakerRule,
        now: Timestamp,
    ) -> Result<Breaker, StoreError> {
        if !failed && self.look(tenant, name).await? == Breaker::default() {
            return Ok(Breaker::default());
        }
        self.change(tenant, name, move |breaker| {
            breaker.note(failed, rule, now);
            *breaker
        })
        .await
    }
}

fn get(connection: &Connection, tenant: &Tenant, name: &str) -> Result<Breaker, StoreError> {
    let query = "SELECT state FROM breakers WHERE tenant = ?1 AND name = ?2";
    let mut statement = connection.prepare_cached(query).map_err(sqlite)?;
    let state: Option<String> = statement
        .query_row((tenant.as_str(), name), |row| row.get(0))
        .optional()
        .map_err(sqlite)?;
    state.map_or(Ok(Breaker::default()), rows::json)
}

fn put(connection: &Connection, tenant: &Tenant, name: &str, breaker: Breaker) -> Result<(), StoreError> {
    let query = if breaker == Breaker::default() {
        "DELETE FROM breakers WHERE tenant = ?1 AND name = ?2 AND ?3 IS NOT NULL"
    } else {
        "INSERT OR REPLACE INTO breakers (tenant, name, state) VALUES (?1, ?2, ?3)"
    };
    rows::execute(connection, query, (tenant.as_str(), name, rows::to_json(&breaker)?))
}
