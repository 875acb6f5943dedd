//! [`AuditLog`] in the table of jobs: an item for each entry, in a partition for each tenant and month.
//!
//! Each process that writes has a chain of its own, so that no two wait for each other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use callboard_core::audit::{AuditLog, AuditPage, AuditQuery, Entry, NewEntry, Tip};
use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, Timestamp};
use tokio::sync::Mutex;

use crate::attributes::{Attributes, Item, corrupt, json, missing, number, string};
use crate::error::{aws, conditional};
use crate::listing::months;

/// How many entries a page looks at. Where a filter lets few of them pass, the page ends there, and the next one goes on.
const MOST_LOOKED_AT: usize = 2000;
/// How many items are read at a time where a filter may leave out most.
const BATCH: usize = 200;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Keeps the audit log in a table.
#[derive(Clone)]
pub struct DynamoDbAuditLog {
    client: Client,
    table: String,
    retention: Duration,
    clock: Arc<dyn Clock>,
    /// The end of this process's chain.
    tip: Arc<Mutex<Tip>>,
}

impl DynamoDbAuditLog {
    /// Uses a table, which keeps entries for some time, and begins a chain.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String, retention: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            client: Client::new(config),
            table,
            retention,
            clock,
            tip: Arc::new(Mutex::new(Tip::begin())),
        }
    }

    /// Writes an entry. That its place is taken means that an earlier try has succeeded: nobody else writes to this chain.
    async fn put(&self, entry: &Entry) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table);
        let put = put
            .set_item(Some(self.item(entry)?))
            .condition_expression("attribute_not_exists(pk)");
        conditional(put.send().await).map(drop)
    }

    fn item(&self, entry: &Entry) -> Result<Item, StoreError> {
        let tenant = Tenant::from(entry.tenant.clone());
        let over = (entry.at + self.retention).as_millis() / 1000;
        Ok(HashMap::from([
            ("pk".to_owned(), string(partition(&tenant, &entry.at.month()))),
            ("sk".to_owned(), string(place(entry))),
            ("entry".to_owned(), json(entry)?),
            ("expires_at".to_owned(), number(over)),
        ]))
    }

    /// Returns up to `limit` items of a partition before a place, newest first.
    async fn before(&self, partition: &str, place: &str, limit: usize) -> Result<Vec<Item>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("pk = :partition AND sk < :place")
            .expression_attribute_values(":partition", string(partition))
            .expression_attribute_values(":place", string(place))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let (mut found, mut items) = (query.into_paginator().items().send(), Vec::new());
        while items.len() < limit
            && let Some(item) = found.try_next().await.map_err(aws)?
        {
            items.push(item);
        }
        Ok(items)
    }

    /// Returns where a page begins, and the months that it may have entries of, newest first.
    fn range(&self, query: &AuditQuery) -> (String, Vec<String>) {
        let (filter, now) = (&query.filter, self.clock.now());
        // clocks may differ by some time
        let latest = filter.until.map_or(now + DAY, |until| until.min(now + DAY));
        let begin = |after: &String| Some((after.clone(), time_of(after)?));
        let begin = query.after.as_ref().and_then(begin);
        let (place, latest) = begin.unwrap_or_else(|| (instant(latest), latest));
        let kept = latest.since(now - self.retention) + DAY;
        let wanted = filter.since.map_or(kept, |since| latest.since(since));
        (place, months(latest, kept.min(wanted)))
    }
}

#[async_trait]
impl AuditLog for DynamoDbAuditLog {
    async fn append(&self, new: NewEntry) -> Result<(), StoreError> {
        let mut tip = self.tip.lock().await;
        // whether an entry was written whose answer is lost, or not waited for, is not known: another chain begins then
        let last = std::mem::replace(&mut *tip, Tip::begin());
        let entry = last.next(new, self.clock.now()).map_err(corrupt)?;
        self.put(&entry).await?;
        *tip = Tip::from(&entry);
        Ok(())
    }

    async fn page(&self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        let (limit, (mut place, months)) = (query.limit as usize, self.range(query));
        let (mut entries, mut looked_at, batch) = (Vec::new(), 0, BATCH.max(limit + 1));
        for month in months {
            let partition = partition(&query.tenant, &month);
            loop {
                let items = self.before(&partition, &place, batch).await?;
                for item in &items {
                    if entries.len() >= limit || looked_at >= MOST_LOOKED_AT {
                        return Ok(AuditPage {
                            entries,
                            next: Some(place),
                        });
                    }
                    looked_at += 1;
                    Attributes(item).string("sk")?.clone_into(&mut place);
                    entries.extend(sound(item).filter(|entry| query.filter.takes(entry)));
                }
                if items.len() < batch {
                    break;
                }
            }
        }
        Ok(AuditPage { entries, next: None })
    }
}

fn partition(tenant: &Tenant, month: &str) -> String {
    format!("AUDIT#{}#{month}", tenant.as_str())
}

/// Returns the place of an entry among those of its tenant.
fn place(entry: &Entry) -> String {
    format!("{}-{}-{:010}", instant(entry.at), entry.chain, entry.number)
}

/// Returns the place before all entries of an instant.
fn instant(at: Timestamp) -> String {
    format!("{:014}", at.as_millis())
}

fn time_of(place: &str) -> Option<Timestamp> {
    let (millis, _) = place.split_once('-')?;
    millis.parse().ok().map(Timestamp::from_millis)
}

/// Reads an entry; one that is damaged is logged and left out.
fn sound(item: &Item) -> Option<Entry> {
    let entry = Attributes(item)
        .json("entry")
        .and_then(|entry| entry.ok_or_else(|| missing("entry")));
    let tell = |error: &StoreError| {
        let (place, error) = (Attributes(item).optional_string("sk"), causes(error));
        tracing::error!(audit.place = place, %error, "an entry of the audit log is damaged; lists leave it out");
    };
    entry.inspect_err(tell).ok()
}
