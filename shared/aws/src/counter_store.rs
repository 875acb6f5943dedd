//! [`CounterStore`] in the table of jobs: one item for each period.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{Counter, CounterStore};

use crate::attributes::{Attributes, number, string};
use crate::error::aws;

/// Keeps counts in a table.
#[derive(Clone, Debug)]
pub struct DynamoDbCounterStore {
    client: Client,
    table: String,
}

impl DynamoDbCounterStore {
    /// Uses a table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }
}

#[async_trait]
impl CounterStore for DynamoDbCounterStore {
    /// An answer that was lost makes the count one too many: the SDK sends the call again.
    async fn add(
        &self,
        tenant: &Tenant,
        counter: Counter,
        period: i64,
        amount: u64,
        until: Timestamp,
    ) -> Result<u64, StoreError> {
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .key("pk", string(partition(tenant, counter)))
            .key("sk", string(sort_key(period)))
            .update_expression("SET expires_at = :over ADD amount :amount")
            .expression_attribute_values(":over", number(until.as_millis() / 1000))
            .expression_attribute_values(":amount", number(amount))
            .return_values(ReturnValue::UpdatedNew);
        let item = update.send().await.map_err(aws)?.attributes.unwrap_or_default();
        Attributes(&item).number("amount")
    }

    async fn sum(&self, tenant: &Tenant, counter: Counter, from: i64) -> Result<u64, StoreError> {
        let query = self.client.query().table_name(&self.table);
        let mut pages = query
            .key_condition_expression("pk = :counter AND sk >= :from")
            .expression_attribute_values(":counter", string(partition(tenant, counter)))
            .expression_attribute_values(":from", string(sort_key(from)))
            .into_paginator()
            .items()
            .send();
        let mut sum = 0_u64;
        while let Some(item) = pages.next().await {
            let amount: u64 = Attributes(&item.map_err(aws)?).number("amount")?;
            sum = sum.saturating_add(amount);
        }
        Ok(sum)
    }
}

fn partition(tenant: &Tenant, counter: Counter) -> String {
    format!("COUNT#{}#{}", tenant.as_str(), counter.as_str())
}

/// Returns a period's number so that texts sort as numbers do.
fn sort_key(period: i64) -> String {
    format!("{period:019}")
}
