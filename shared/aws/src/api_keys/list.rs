//! Lists of API keys: the entries of a partition say which, and their items are read in batches.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use callboard_core::access::ApiKey;
use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use tokio::time::sleep;

use super::{DynamoDbKeyStore, item};
use crate::attributes::{Attributes, Item, string};
use crate::error::aws;

/// DynamoDB's limit for a batch.
const BATCH: usize = 100;
/// How long to wait before each try, in milliseconds.
const PAUSES: [u64; 7] = [0, 20, 40, 80, 160, 320, 640];

impl DynamoDbKeyStore {
    /// Returns up to `wanted` keys of a partition of entries after an id, in order of id. A damaged one is logged and left out.
    pub(super) async fn following(
        &self,
        partition: &str,
        after: Option<&str>,
        wanted: usize,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let mut found = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let missing = wanted - found.len();
            let ids = self.ids(partition, after.as_deref(), missing).await?;
            for some in ids.chunks(BATCH) {
                found.extend(self.batch(some).await?);
            }
            if ids.len() < missing || found.len() >= wanted {
                return Ok(found);
            }
            after = ids.into_iter().next_back();
        }
    }

    /// Returns up to `wanted` ids of a partition's entries after an id, in order.
    async fn ids(&self, partition: &str, after: Option<&str>, wanted: usize) -> Result<Vec<String>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .limit(i32::try_from(wanted).unwrap_or(i32::MAX))
            .expression_attribute_values(":entries", string(partition));
        let query = match after {
            Some(after) => query
                .key_condition_expression("pk = :entries AND sk > :after")
                .expression_attribute_values(":after", string(after)),
            None => query.key_condition_expression("pk = :entries"),
        };
        let (mut entries, mut ids) = (query.into_paginator().items().send(), Vec::new());
        while ids.len() < wanted
            && let Some(entry) = entries.try_next().await.map_err(aws)?
        {
            ids.push(Attributes(&entry).string("sk")?.to_owned());
        }
        Ok(ids)
    }

    /// Reads the keys with some ids, in order, as the last writes left them.
    async fn batch(&self, ids: &[String]) -> Result<Vec<ApiKey>, StoreError> {
        let items = self.items(ids.iter().map(|id| item::key(id)).collect()).await?;
        let mut keys: Vec<ApiKey> = items.iter().filter_map(sound).collect();
        keys.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(keys)
    }

    /// Reads items in any order; those that DynamoDB leaves out, because of their size or of its load, are asked for again.
    async fn items(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let asked = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
        let asked = asked.build().map_err(|error| StoreError::Rejected(Box::new(error)))?;
        let (mut left, mut items) = (HashMap::from([(self.table.clone(), asked)]), Vec::new());
        for pause in PAUSES {
            sleep(Duration::from_millis(pause)).await;
            let batch = self.client.batch_get_item().set_request_items(Some(left));
            let got = batch.send().await.map_err(aws)?;
            items.extend(got.responses.into_iter().flatten().flat_map(|(_table, items)| items));
            left = got.unprocessed_keys.unwrap_or_default();
            if left.is_empty() {
                return Ok(items);
            }
        }
        Err(StoreError::Unavailable("the table left out API keys too often".into()))
    }
}

fn sound(item: &Item) -> Option<ApiKey> {
    let tell = |error: StoreError| {
        let (id, error) = (Attributes(item).optional_string("pk"), causes(&error));
        tracing::error!(key.id = id, %error, "a stored API key is damaged; lists leave it out");
    };
    item::read(item).map_err(tell).ok()
}
