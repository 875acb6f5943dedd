//! [`SlotStore`] in the table of jobs: one item for each slot, with the jobs that have its places, and one for each job that waits.
//!
//! The places of a slot are in one item, so that taking one is a conditional write. A job that comes just when a place becomes free may get
//! it before one that waits: the line is in order otherwise.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::job::{Slot, SlotInUse, SlotStore};
use futures_util::future::try_join_all;

use crate::attributes::{Attributes, Item, corrupt, number, string};
use crate::error::{aws, conditional};
use crate::item::SHARDS;

const TRIES: u32 = 10;

/// Keeps places in a table.
#[derive(Clone, Debug)]
pub struct DynamoDbSlotStore {
    client: Client,
    table: String,
}

impl DynamoDbSlotStore {
    /// Uses a table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }

    /// Takes a place if there is a free one, or the job has one; returns whether it has one now.
    async fn try_take(&self, slot: &Slot, places: u32, job: JobId) -> Result<bool, StoreError> {
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(slot_key(slot)))
            .update_expression("ADD holders :holders")
            .condition_expression("attribute_not_exists(holders) OR contains(holders, :job) OR size(holders) < :places")
            .expression_attribute_values(":holders", AttributeValue::Ss(vec![job.to_string()]))
            .expression_attribute_values(":job", string(job.to_string()))
            .expression_attribute_values(":places", number(places));
        conditional(update.send().await).map(|taken| taken.is_some())
    }

    async fn holders(&self, slot: &Slot) -> Result<Vec<JobId>, StoreError> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.set_key(Some(slot_key(slot))).consistent_read(true);
        let found = get.send().await.map_err(aws)?.item;
        found.map_or_else(|| Ok(Vec::new()), |item| holders(&item))
    }

    async fn line(&self, slot: &Slot, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("pk = :line")
            .expression_attribute_values(":line", string(line(slot)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let found = query.send().await.map_err(aws)?.items.unwrap_or_default();
        let id = |item: &Item| Attributes(item).string("sk")?.parse().map_err(corrupt);
        found.iter().map(id).collect()
    }

    async fn leave_line(&self, slot: &Slot, job: JobId) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.set_key(Some(place_in_line(slot, job)));
        delete.send().await.map(drop).map_err(aws)
    }

    /// Deletes a slot that nobody has a place of.
    async fn forget(&self, slot: &Slot) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .set_key(Some(slot_key(slot)))
            .condition_expression("attribute_not_exists(holders)");
        conditional(delete.send().await).map(drop)
    }

    async fn shard(&self, shard: u8, limit: u32) -> Result<Vec<SlotInUse>, StoreError> {
        let query = self.client.query().table_name(&self.table);
        let mut pages = query
            .key_condition_expression("pk = :slots")
            .expression_attribute_values(":slots", string(partition(shard)))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while found.len() < limit as usize
            && let Some(item) = pages.next().await
        {
            let item = item.map_err(aws)?;
            let slot = slot_of(Attributes(&item).string("sk")?);
            let holders = holders(&item)?;
            found.push(SlotInUse { slot, holders });
        }
        Ok(found)
    }
}

#[async_trait]
impl SlotStore for DynamoDbSlotStore {
    async fn take(&self, slot: &Slot, places: u32, job: JobId) -> Result<Option<JobId>, StoreError> {
        for _ in 0..TRIES {
            if self.try_take(slot, places, job).await? {
                return Ok(None);
            }
            let put = self.client.put_item().table_name(&self.table);
            let put = put.set_item(Some(place_in_line(slot, job)));
            put.send().await.map_err(aws)?;
            // whoever gave a place back before this job was in the line has not found it there
            let Some(holder) = self.holders(slot).await?.into_iter().min() else {
                continue;
            };
            if !self.try_take(slot, places, job).await? {
                return Ok(Some(holder));
            }
            return self.leave_line(slot, job).await.map(|()| None);
        }
        Err(StoreError::Unavailable(
            "the slot was taken and given back too often".into(),
        ))
    }

    async fn give_back(&self, slot: &Slot, job: JobId) -> Result<(), StoreError> {
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(slot_key(slot)))
            .update_expression("DELETE holders :holders")
            .condition_expression("contains(holders, :job)")
            .expression_attribute_values(":holders", AttributeValue::Ss(vec![job.to_string()]))
            .expression_attribute_values(":job", string(job.to_string()));
        conditional(update.send().await)?;
        self.leave_line(slot, job).await
    }

    async fn promote(&self, slot: &Slot, places: u32) -> Result<Option<JobId>, StoreError> {
        let Some(next) = self.line(slot, 1).await?.pop() else {
            self.forget(slot).await?;
            return Ok(None);
        };
        if !self.try_take(slot, places, next).await? {
            return Ok(None);
        }
        self.leave_line(slot, next).await?;
        Ok(Some(next))
    }

    async fn taken(&self, slot: &Slot) -> Result<u32, StoreError> {
        let holders = self.holders(slot).await?;
        Ok(u32::try_from(holders.len()).unwrap_or(u32::MAX))
    }

    async fn jobs(&self, slot: &Slot, limit: u32) -> Result<Vec<JobId>, StoreError> {
        let mut jobs = self.holders(slot).await?;
        jobs.extend(self.line(slot, limit).await?);
        jobs.truncate(limit as usize);
        Ok(jobs)
    }

    async fn in_use(&self, limit: u32) -> Result<Vec<SlotInUse>, StoreError> {
        let shards = try_join_all((0..SHARDS).map(|shard| self.shard(shard, limit))).await?;
        Ok(shards.into_iter().flatten().take(limit as usize).collect())
    }
}

fn holders(item: &Item) -> Result<Vec<JobId>, StoreError> {
    let ids = item.get("holders").and_then(|value| value.as_ss().ok());
    let ids = ids.into_iter().flatten();
    ids.map(|id| id.parse().map_err(corrupt)).collect()
}

/// Returns the concurrency key, which is never empty; empty for the quota of running jobs.
fn key_text(slot: &Slot) -> &str {
    slot.concurrency_key.as_deref().unwrap_or_default()
}

/// Returns the name of a slot. That of a tenant has no `#`.
fn name(slot: &Slot) -> String {
    format!("{}#{}", slot.tenant.as_str(), key_text(slot))
}

fn slot_of(name: &str) -> Slot {
    let (tenant, key) = name.split_once('#').unwrap_or((name, ""));
    Slot {
        tenant: Tenant::from(tenant.to_owned()),
        concurrency_key: Some(key.to_owned()).filter(|key| !key.is_empty()),
    }
}

fn slot_key(slot: &Slot) -> Item {
    let name = name(slot);
    let sum = name.bytes().fold(0_u8, u8::wrapping_add);
    HashMap::from([
        ("pk".to_owned(), string(partition(sum % SHARDS))),
        ("sk".to_owned(), string(name)),
    ])
}

fn partition(shard: u8) -> String {
    format!("SLOTS#{shard}")
}

fn line(slot: &Slot) -> String {
    format!("SLOT#{}", name(slot))
}

fn place_in_line(slot: &Slot, job: JobId) -> Item {
    HashMap::from([
        ("pk".to_owned(), string(line(slot))),
        ("sk".to_owned(), string(job.to_string())),
    ])
}
