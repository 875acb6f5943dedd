//! Lists of jobs, newest first, merged from the partitions of an index.

mod count;
mod index_query;
mod newest;

use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Damage;
use callboard_core::job::{HistoryPage, HistoryQuery, MAX_COUNTED};

use crate::attributes::{Item, string};
use crate::error::aws;
use crate::item;
use crate::table::Table;
use crate::update::names_in;
pub(crate) use index_query::{IndexQuery, months};

/// How many jobs of a partition one query looks at, where a filter may leave out most of them.
const JOBS_PER_QUERY: usize = 500;

/// The table's indexes.
pub(crate) struct Listing<'a> {
    pub(crate) table: &'a Table,
    pub(crate) retention: Duration,
    pub(crate) damage: &'a Damage,
    /// How many jobs of each partition are looked at for one page, where a filter may leave out most of them.
    pub(crate) looks: usize,
}

impl Listing<'_> {
    /// Returns the page for a query.
    pub(crate) async fn page(&self, query: &HistoryQuery, now: Timestamp) -> Result<HistoryPage, StoreError> {
        let source = IndexQuery::of(query, now, self.retention);
        let (offset, limit) = (to_usize(query.offset), to_usize(query.limit));
        let mut found = self.newest(&source, offset + limit + 1).await?;
        let is_full = found.items.len() > offset + limit;
        let stopped_at = found.stopped_at.filter(|_| !is_full);
        let has_more = is_full || stopped_at.is_some();
        let (counted, is_exact) = if has_more || query.before.is_some() {
            self.count(&source).await?
        } else {
            (found.items.len(), true)
        };
        found.items.truncate(offset + limit);
        let (mut jobs, mut damaged) = (Vec::new(), Vec::new());
        for item in found.items.iter().skip(offset) {
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
            stopped_at,
            total: counted.min(MAX_COUNTED),
            total_is_exact: is_exact && counted <= MAX_COUNTED,
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
            found.extend(self.oldest(&source, partition, to_usize(limit), sound).await?);
        }
        found.sort_by_key(|(id, _)| *id);
        found.truncate(to_usize(limit));
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    /// Reads the oldest items of a partition page by page, until `make` has returned enough results or there are no more. DynamoDB
    /// applies the page limit before the filter; where the filter leaves out more than a few items, pages have no limit.
    async fn oldest<T>(
        &self,
        source: &IndexQuery,
        partition: &str,
        wanted: usize,
        make: impl Fn(Item) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let query = self.query_before(source, partition).scan_index_forward(true);
        let limit = IndexQuery::fits_most_of(partition).then(|| to_i32(wanted));
        let mut found = Vec::new();
        let mut from = None;
        while found.len() < wanted {
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

    /// Makes the query for a partition, up to the end of the source.
    fn query_before(&self, source: &IndexQuery, partition: &str) -> QueryFluentBuilder {
        let query = self.query(source, partition);
        let Some(before) = source.before else { return query };
        let condition = format!("#{} = :partition AND #job_id < :id", source.partition_key);
        with_names(query, &condition)
            .key_condition_expression(condition)
            .expression_attribute_values(":id", string(before.to_string()))
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

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn to_i32(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
