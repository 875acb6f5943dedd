//! [`StatsStore`] on DynamoDB: counts the entries of the index `history`, so that each job counts once. That reads half a unit for
//! every 4 KB of them, about ten jobs.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::care::Damage;
use callboard_core::job::{KindFilter, Outcome, StatsQuery, StatsStore, Tally, TitleFilter};
use callboard_core::request::Reason;
use futures_util::future::try_join_all;

use crate::attributes::{Attributes, Item, instant, string};
use crate::error::aws;
use crate::item::{self, SHARDS};
use crate::listing::months;
use crate::update::names_in;

type Tallies = HashMap<(Option<String>, Option<String>), Tally>;

/// Counts the jobs of a table.
#[derive(Clone)]
pub struct DynamoDbStatsStore {
    client: Client,
    table: String,
    damage: Damage,
}

impl DynamoDbStatsStore {
    /// Uses a table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            client: Client::new(config),
            table,
            damage: Damage::default(),
        }
    }

    async fn count(&self, query: &StatsQuery, partition: String, now: Timestamp) -> Result<Tallies, StoreError> {
        let restriction = Restriction::of(query);
        let condition = "#history_pk = :partition AND #job_id >= :first";
        let filter = format!("#retained_until > :now{}", restriction.condition);
        let mut ask = self.client.query().table_name(&self.table).index_name("history");
        for (placeholder, name) in names_in(&format!("{condition} {filter}")) {
            ask = ask.expression_attribute_names(placeholder, name);
        }
        ask = ask
            .key_condition_expression(condition)
            .filter_expression(filter)
            .expression_attribute_values(":partition", string(partition))
            .expression_attribute_values(":first", string(JobId::first_of(query.since).to_string()))
            .expression_attribute_values(":now", instant(now));
        for (name, value) in restriction.values {
            ask = ask.expression_attribute_values(name, string(value));
        }
        let mut items = ask.into_paginator().items().send();
        let mut found = Tallies::new();
        while let Some(item) = items.try_next().await.map_err(aws)? {
            self.damage.sound(item::id(&item).ok(), count(&mut found, &item));
        }
        Ok(found)
    }
}

#[async_trait]
impl StatsStore for DynamoDbStatsStore {
    async fn tallies(&self, query: &StatsQuery, now: Timestamp) -> Result<Vec<Tally>, StoreError> {
        let months = months(now, now.since(query.since));
        let partitions = months.iter().flat_map(|month| {
            let partition = move |shard| item::history_partition(&query.tenant, month, shard);
            (0..SHARDS).map(partition)
        });
        let counted = try_join_all(partitions.map(|partition| self.count(query, partition, now))).await?;
        let mut whole = Tallies::new();
        for (key, tally) in counted.into_iter().flatten() {
            match whole.get_mut(&key) {
                Some(known) => known.merge(tally),
                None => drop(whole.insert(key, tally)),
            }
        }
        Ok(whole.into_values().collect())
    }
}

/// What the jobs are restricted to.
struct Restriction {
    condition: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Restriction {
    fn of(query: &StatsQuery) -> Self {
        let title = match &query.title {
            None => None,
            Some(TitleFilter::Is(title)) => Some((true, title.clone())),
            Some(TitleFilter::Below(title)) => Some((false, format!("{title}/"))),
        };
        let condition = match (&query.kind, &title) {
            (None, None) => "",
            (Some(KindFilter::First), None) => " AND attribute_not_exists(#kind)",
            (Some(KindFilter::Named(_)), None) => " AND #kind = :kind",
            (None, Some((true, _))) => " AND attribute_exists(#kind) AND #playbook = :title",
            (None, Some((false, _))) => " AND attribute_exists(#kind) AND begins_with(#playbook, :title)",
            (Some(KindFilter::Named(_)), Some((true, _))) => " AND #kind = :kind AND #playbook = :title",
            (Some(KindFilter::Named(_)), Some((false, _))) => " AND #kind = :kind AND begins_with(#playbook, :title)",
            // no job of the first kind calls a service
            (Some(KindFilter::First), Some((_, _))) => {
                " AND attribute_not_exists(#kind) AND attribute_exists(#kind) AND #playbook = :title"
            }
        };
        let kind = match &query.kind {
            Some(KindFilter::Named(kind)) => Some((":kind", kind.clone())),
            Some(KindFilter::First) | None => None,
        };
        let title = title.map(|(_, title)| (":title", title));
        Self {
            condition,
            values: kind.into_iter().chain(title).collect(),
        }
    }
}

/// Counts a job, if it has ended.
fn count(found: &mut Tallies, item: &Item) -> Result<(), StoreError> {
    let fields = Attributes(item);
    let status = fields.status()?;
    if !status.is_final() {
        return Ok(());
    }
    let kind = fields.optional_string("kind").map(str::to_owned);
    let tally = found
        .entry((kind, fields.title()))
        .or_insert_with_key(|(kind, title)| Tally {
            kind: kind.clone(),
            title: title.clone(),
            ..Tally::default()
        });
    let outcome = Outcome {
        status,
        reason: fields.optional_string("reason").map(Reason::of),
        error: fields.optional_string("error").map(str::to_owned),
        usage: fields.json("usage")?,
        ..Outcome::successful()
    };
    let finished_at = fields.optional_instant("finished_at")?;
    tally.count(item::id(item)?, fields.number("attempt")?, &outcome, finished_at);
    Ok(())
}
