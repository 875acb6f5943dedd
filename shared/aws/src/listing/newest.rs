//! The newest jobs of a source, merged from its partitions.

use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use futures_util::future::try_join_all;

use super::{IndexQuery, JOBS_PER_QUERY, Listing, to_i32};
use crate::attributes::Item;
use crate::error::aws;
use crate::item;

/// Jobs of a source, the newest first.
#[derive(Default)]
pub(super) struct Found {
    pub(super) items: Vec<Item>,
    /// The oldest job that was looked at, if there may be more and enough jobs were looked at.
    pub(super) stopped_at: Option<JobId>,
    /// How many jobs were looked at.
    looked_at: usize,
}

impl Listing<'_> {
    /// Returns up to `wanted` items of a source, the newest first. It stops earlier once enough jobs were looked at; what it returns
    /// then is all there is of a time.
    pub(super) async fn newest(&self, source: &IndexQuery, wanted: usize) -> Result<Found, StoreError> {
        let mut found = Found::default();
        for group in &source.groups {
            let missing = wanted - found.items.len();
            let looks = self.looks.saturating_sub(found.looked_at);
            let shards = group
                .iter()
                .map(|partition| self.newest_of(source, partition, missing, looks));
            let merged = merge(try_join_all(shards).await?, missing);
            found.items.extend(merged.items);
            found.looked_at += merged.looked_at;
            found.stopped_at = merged.stopped_at;
            if found.items.len() >= wanted || found.stopped_at.is_some() {
                break;
            }
        }
        Ok(found)
    }

    /// Reads the newest jobs of a partition: up to `wanted`, or as many as there are among the next `looks`, if the filter may leave out
    /// most of them.
    async fn newest_of(
        &self,
        source: &IndexQuery,
        partition: &str,
        wanted: usize,
        looks: usize,
    ) -> Result<Found, StoreError> {
        let query = self.query_before(source, partition).scan_index_forward(false);
        let (mut found, mut from) = (Found::default(), None);
        while found.items.len() < wanted {
            let limit = match found.looked_at {
                _ if !IndexQuery::fits_most_of(partition) => None,
                // most lists that are filtered find what they want at once
                0 => Some(wanted),
                _ if source.is_selective => Some(looks.saturating_sub(found.looked_at).clamp(1, JOBS_PER_QUERY)),
                _ => Some(wanted),
            };
            let page = query.clone().set_exclusive_start_key(from).set_limit(limit.map(to_i32));
            let output = page.send().await.map_err(aws)?;
            found.looked_at += usize::try_from(output.scanned_count).unwrap_or(0);
            found.items.extend(output.items.unwrap_or_default());
            from = output.last_evaluated_key;
            let Some(last) = &from else { break };
            if source.is_selective && found.looked_at >= looks && found.items.len() < wanted {
                // an id that cannot be read is no place to go on from
                found.stopped_at = item::id(last).ok();
                if found.stopped_at.is_some() {
                    break;
                }
            }
        }
        found.items.truncate(wanted);
        Ok(found)
    }
}

/// Merges the partitions of one time. Where one was not read to its end, jobs of others that are older than what was looked at there
/// are left out.
fn merge(shards: Vec<Found>, wanted: usize) -> Found {
    let stopped_at = shards.iter().filter_map(|shard| shard.stopped_at).max();
    let looked_at = shards.iter().map(|shard| shard.looked_at).max().unwrap_or(0);
    let mut items: Vec<Item> = shards.into_iter().flat_map(|shard| shard.items).collect();
    items.sort_by(|one, other| id_text(other).cmp(id_text(one)));
    if let Some(stopped_at) = stopped_at {
        let oldest = stopped_at.to_string();
        items.retain(|item| *id_text(item) >= *oldest);
    }
    let stopped_at = stopped_at.filter(|_| items.len() < wanted);
    items.truncate(wanted);
    Found {
        items,
        stopped_at,
        looked_at,
    }
}

fn id_text(item: &Item) -> &str {
    let id = item.get("job_id").and_then(|id| id.as_s().ok());
    id.map_or("", String::as_str)
}
