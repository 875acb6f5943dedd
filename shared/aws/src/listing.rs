//! Lists of jobs, newest first, merged from the partitions of an index.

mod index_query;

use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Damage;
use callboard_core::job::{HistoryPage, HistoryQuery, MAX_COUNTED};
use futures_util::future::try_join_all;

use crate::attributes::{Item, string};
use crate::error::aws;
use crate::item;
use crate::table::Table;
use crate::update::names_in;
pub(crate) use index_query::{IndexQuery, months};

/// The table's indexes.
pub(crate) struct Listing<'a> {
    pub(crate) table: &'a Table,
    pub(crate) retention: Duration,
    pub(crate) damage: &'a Damage,
}

impl Listing<'_> {
    /// Returns the page for a query.
    pub(crate) async fn page(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError> {
        let source = IndexQuery::of(query, now, self.retention);
        let (offset, limit) = (to_usize(query.offset), to_usize(query.limit));
        let mut found = self.newest(&source, offset + limit + 1).await?;
        let has_more = found.len() > offset + limit;
        let counted = if has_more || query.before.is_some() {
            self.count(&source).await?
        } else {
            found.len()
        };
        found.truncate(offset + limit);
        let (mut jobs, mut damaged) = (Vec::new(), Vec::new());
        for item in found.iter().skip(offset) {
            let id = item::id(item).ok();
            match self.damage.sound(id, item::summary(item)) {
                Some(job) => jobs.push(job),
                None => damaged.extend(id),
            }
        }
        let counted = u32::try_from(counted).unwrap_or(u32::MAX);
        Ok(HistoryPage {
            jobs,
            damaged,
            has_more,
            total: counted.min(MAX_COUNTED),
            total_is_exact: counted <= MAX_COUNTED,
        })
    }

    /// Reads up to `limit` pending or running jobs of a source, the oldest first. Damaged jobs are left out and do not
    /// count toward the limit.
    pub(crate) async fn active<T>(
        &self,
        source: IndexQuery,
        limit: u32,
        read: impl Fn(JobId, &Item) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let sound = |item: Item| {
            let id = item::id(&item);
            let known = id.as_ref().ok().copied();
            self.damage.sound(known, id.and_then(|id| Ok((id, read(id, &item)?))))
        };
        let mut found = Vec::new();
        for partition in source.groups.iter().flatten() {
            found.extend(self.collect(&source, partition, true, to_usize(limit), sound).await?);
        }
        found.sort_by_key(|(id, _)| *id);
        found.truncate(to_usize(limit));
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    /// Returns up to `wanted` items of a source, the newest first.
    async fn newest(&self, source: &IndexQuery, wanted: usize) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for group in &source.groups {
            let missing = wanted - found.len();
            let shards = group
                .iter()
                .map(|partition| self.collect(source, partition, false, missing, Some));
            let mut merged = try_join_all(shards).await?.concat();
            merged.sort_by(|one, other| other.get("job_id").map(id_text).cmp(&one.get("job_id").map(id_text)));
            merged.truncate(missing);
            found.extend(merged);
            if found.len() >= wanted {
                break;
            }
        }
        Ok(found)
    }

    /// Counts a source's jobs, up to one more than is reported, to know whether the count is exact.
    async fn count(&self, source: &IndexQuery) -> Result<usize, StoreError> {
        let enough = to_usize(MAX_COUNTED) + 1;
        let mut counted = 0;
        for group in &source.groups {
            let share = enough.saturating_sub(counted).div_ceil(group.len());
            let mut open: Vec<(&String, Option<Item>)> = group.iter().map(|partition| (partition, None)).collect();
            while !open.is_empty() && counted < enough {
                let counts = open.into_iter().map(|(partition, from)| async move {
                    let query = self.query(source, partition).select(Select::Count);
                    let query = query.set_exclusive_start_key(from).limit(to_i32(share));
                    let output = query.send().await.map_err(aws)?;
                    let rest = output.last_evaluated_key.map(|key| (partition, Some(key)));
                    Ok::<_, StoreError>((usize::try_from(output.count).unwrap_or(0), rest))
                });
                let counts = try_join_all(counts).await?;
                counted += counts.iter().map(|(count, _)| count).sum::<usize>();
                open = counts.into_iter().filter_map(|(_, rest)| rest).collect();
            }
        }
        Ok(counted)
    }

    /// Reads a partition page by page, up to the end of the source, until `make` has returned enough results or there
    /// are no more items. DynamoDB applies the page limit before the filter; where the filter leaves out more than a
    /// few items, pages have no limit.
    async fn collect<T>(
        &self,
        source: &IndexQuery,
        partition: &str,
        oldest_first: bool,
        wanted: usize,
        make: impl Fn(Item) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut query = self.query(source, partition).scan_index_forward(oldest_first);
        if let Some(before) = source.before {
            let condition = format!("#{} = :partition AND #job_id < :id", source.partition_key);
            query = with_names(query, &condition)
                .key_condition_expression(condition)
                .expression_attribute_values(":id", string(before.to_string()));
        }
        let mut found = Vec::new();
        let mut from = None;
        while found.len() < wanted {
            let limit = IndexQuery::fits_most_of(partition).then(|| to_i32(wanted));
            let page = query.clone().set_exclusive_start_key(from).set_limit(limit);
            let output = page.send().await.map_err(aws)?;
            found.extend(output.items.unwrap_or_default().into_iter().filter_map(&make));
            from = output.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        found.truncate(wanted);
        Ok(found)
    }

    fn query(&self, source: &IndexQuery, partition: &str) -> QueryFluentBuilder {
        let condition = format!("#{} = :partition", source.partition_key);
        let mut query = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .index_name(source.index);
        query = with_names(query, &format!("{condition} {}", source.filter))
            .key_condition_expression(condition)
            .filter_expression(&source.filter)
            .expression_attribute_values(":partition", string(partition));
        for (name, value) in &source.values {
            query = query.expression_attribute_values(*name, value.clone());
        }
        query
    }
}

fn with_names(query: QueryFluentBuilder, expression: &str) -> QueryFluentBuilder {
    names_in(expression).fold(query, |query, (placeholder, name)| {
        query.expression_attribute_names(placeholder, name)
    })
}

fn id_text(value: &AttributeValue) -> &str {
    value.as_s().map_or("", String::as_str)
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn to_i32(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
