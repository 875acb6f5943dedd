//! [`BreakerStore`] in the table of jobs: one item per breaker. One that is as new has no item.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::run::{Admission, Breaker, BreakerRule, BreakerStore};

use crate::attributes::{Attributes, Item, json, number, string};
use crate::error::{aws, conditional};

/// How long a breaker is kept after its last change, in addition to how long it is open.
const KEPT: Duration = Duration::from_secs(24 * 3600);
const TRIES: u32 = 10;

/// Keeps breakers in a table.
#[derive(Clone, Debug)]
pub struct DynamoDbBreakerStore {
    client: Client,
    table: String,
}

impl DynamoDbBreakerStore {
    /// Uses a table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }

    async fn get(&self, key: &Item) -> Result<Breaker, StoreError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.set_key(Some(key.clone())).consistent_read(true);
        let found = get.send().await.map_err(aws)?;
        let state = found.item.map(|item| Attributes(&item).json("breaker"));
        Ok(state.transpose()?.flatten().unwrap_or_default())
    }

    /// Changes a breaker, again where somebody else was faster.
    async fn change<T>(
        &self,
        key: Item,
        rule: BreakerRule,
        now: Timestamp,
        change: impl Fn(&mut Breaker) -> T,
    ) -> Result<T, StoreError> {
        for _ in 0..TRIES {
            let before = self.get(&key).await?;
            let mut breaker = before;
            let told = change(&mut breaker);
            if breaker == before || self.put(&key, before, breaker, now + rule.reset_timeout + KEPT).await? {
                return Ok(told);
            }
        }
        Err(StoreError::Unavailable(
            "the breaker was changed too often meanwhile".into(),
        ))
    }

    /// Writes a breaker that stands as it did before; returns whether it does.
    async fn put(&self, key: &Item, before: Breaker, breaker: Breaker, over: Timestamp) -> Result<bool, StoreError> {
        let mut item = key.clone();
        item.extend([
            ("breaker".to_owned(), json(&breaker)?),
            ("expires_at".to_owned(), number(over.as_millis() / 1000)),
        ]);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        let put = if before == Breaker::default() {
            put.condition_expression("attribute_not_exists(pk) OR breaker = :before")
        } else {
            put.condition_expression("breaker = :before")
        };
        let put = put.expression_attribute_values(":before", json(&before)?);
        conditional(put.send().await).map(|written| written.is_some())
    }
}

#[async_trait]
impl BreakerStore for DynamoDbBreakerStore {
    async fn admit(
        &self,
        tenant: &Tenant,
        name: &str,
        rule: BreakerRule,
        now: Timestamp,
    ) -> Result<Admission, StoreError> {
        self.change(item_key(tenant, name), rule, now, |breaker| breaker.admit(rule, now))
            .await
    }

    async fn note(
        &self,
        tenant: &Tenant,
        name: &str,
        failed: bool,
        rule: BreakerRule,
        now: Timestamp,
    ) -> Result<Breaker, StoreError> {
        let note = |breaker: &mut Breaker| {
            breaker.note(failed, rule, now);
            *breaker
        };
        self.change(item_key(tenant, name), rule, now, note).await
    }
}

fn item_key(tenant: &Tenant, name: &str) -> Item {
    HashMap::from([
        ("pk".to_owned(), string(format!("BREAKER#{}", tenant.as_str()))),
        ("sk".to_owned(), string(name)),
    ])
}
