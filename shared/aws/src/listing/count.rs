//! How many jobs a source has.

use aws_sdk_dynamodb::types::Select;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{JobStatus, MAX_COUNTED};
use futures_util::future::try_join_all;

use super::{IndexQuery, JOBS_PER_QUERY, Listing, to_i32, to_usize};
use crate::attributes::Item;
use crate::error::aws;

impl Listing<'_> {
    /// Counts a source's jobs, up to one more than is reported, to know whether the count is exact. Returns whether all were looked at.
    pub(super) async fn count(&self, source: &IndexQuery) -> Result<(usize, bool), StoreError> {
        self.count_up_to(source, to_usize(MAX_COUNTED) + 1).await
    }

    /// Counts the jobs of a tenant that wait, up to `most`. That reads what waits of all tenants, so callers keep the number for a while.
    pub(crate) async fn waiting(&self, tenant: &Tenant, most: u32) -> Result<u32, StoreError> {
        // what waits never expires
        let source = IndexQuery::standing(tenant, JobStatus::Pending, false, Timestamp::from_millis(0));
        self.count_some_of(source, most).await
    }

    /// Counts the jobs of a source, up to `most`.
    pub(crate) async fn count_some_of(&self, source: IndexQuery, most: u32) -> Result<u32, StoreError> {
        let (counted, _) = self.count_up_to(&source, to_usize(most)).await?;
        Ok(u32::try_from(counted).unwrap_or(u32::MAX).min(most))
    }

    async fn count_up_to(&self, source: &IndexQuery, enough: usize) -> Result<(usize, bool), StoreError> {
        let (mut counted, mut looks) = (0, self.looks);
        for group in &source.groups {
            let mut open: Vec<(&String, Option<Item>)> = group.iter().map(|partition| (partition, None)).collect();
            while !open.is_empty() && counted < enough {
                if source.is_selective && looks == 0 {
                    return Ok((counted, false));
                }
                let limit = if source.is_selective {
                    looks.min(JOBS_PER_QUERY)
                } else {
                    (enough - counted).div_ceil(group.len())
                };
                looks = looks.saturating_sub(limit);
                let counts = open
                    .into_iter()
                    .map(|(partition, from)| self.count_some(source, partition, from, limit));
                let counts = try_join_all(counts).await?;
                counted += counts.iter().map(|(count, _)| count).sum::<usize>();
                open = counts.into_iter().filter_map(|(_, rest)| rest).collect();
            }
        }
        Ok((counted, true))
    }

    /// Counts among the next jobs of a partition. Returns where to go on, if there are more.
    async fn count_some<'p>(
        &self,
        source: &IndexQuery,
        partition: &'p String,
        from: Option<Item>,
        limit: usize,
    ) -> Result<(usize, Option<(&'p String, Option<Item>)>), StoreError> {
        let query = self.query(source, partition).select(Select::Count);
        let query = query.set_exclusive_start_key(from).limit(to_i32(limit));
        let output = query.send().await.map_err(aws)?;
        let rest = output.last_evaluated_key.map(|key| (partition, Some(key)));
        Ok((usize::try_from(output.count).unwrap_or(0), rest))
    }
}
