//! The table as an audit log.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_aws::{DynamoDbAuditLog, SdkConfig};
use callboard_core::audit::{AuditCheck, AuditFilter, AuditLog, Deed};
use callboard_core::base::time::SystemClock;
use callboard_testkit::aws::Resources;
use callboard_testkit::contract::audit_log::{all, done};
use callboard_testkit::contract::clock::FakeClock;
use callboard_testkit::contract::samples::{now, tenant};
use futures_util::future::join_all;

use crate::lossy::Lossy;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn make() -> anyhow::Result<(DynamoDbAuditLog, Resources)> {
    let resources = Resources::create().await?;
    Ok((log(&resources.config, &resources), resources))
}

fn log(config: &SdkConfig, resources: &Resources) -> DynamoDbAuditLog {
    DynamoDbAuditLog::new(config, resources.table.clone(), DAY * 400, Arc::new(SystemClock))
}

/// The first write of each pair loses its answer; each entry is there once, and the chain is whole.
#[tokio::test]
async fn an_entry_whose_answer_is_lost_is_there_once() -> anyhow::Result<()> {
    let ((direct, resources), tenant) = (make().await?, tenant());
    let lossy = Lossy::start().await?;
    let log = log(&lossy.config().await, &resources);
    for number in 0..5 {
        log.append(done(&tenant, "ci", Deed::JobCancel, &number.to_string()))
            .await?;
    }
    let entries = all(&direct, &tenant, &AuditFilter::default(), 100).await?;
    let lines = entries
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<Vec<_>, _>>()?;
    let found = AuditCheck::of_lines(lines.iter().map(String::as_str));
    ensure!(
        found.faults.is_empty() && (found.entries, found.chains) == (5, 1),
        "{found:?}"
    );
    ensure!(lossy.lost() >= 5, "only {} answers were lost", lossy.lost());
    Ok(())
}

/// Whoever stops waiting does not know whether an entry was written: what follows is in another chain.
#[tokio::test]
async fn an_entry_that_is_not_waited_for_costs_no_later_one() -> anyhow::Result<()> {
    let ((log, _resources), tenant) = (make().await?, tenant());
    let entry = |object| done(&tenant, "ci", Deed::JobCancel, object);
    log.append(entry("first")).await?;
    for _ in 0..3 {
        let append = log.append(entry("left"));
        drop(tokio::time::timeout(Duration::from_millis(1), append).await);
        log.append(entry("waited for")).await?;
    }
    let entries = all(&log, &tenant, &AuditFilter::default(), 100).await?;
    let waited = entries
        .iter()
        .filter(|entry| entry.object.as_deref() == Some("waited for"));
    assert_eq!(waited.count(), 3);
    let lines = entries
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<Vec<_>, _>>()?;
    let found = AuditCheck::of_lines(lines.iter().map(String::as_str));
    ensure!(found.faults.is_empty(), "{found:?}");
    Ok(())
}

/// Every process has a chain of its own; pages go on over months, and the table forgets what is over.
#[tokio::test]
async fn pages_go_over_months_and_chains_and_items_have_an_end() -> anyhow::Result<()> {
    let (resources, clock, tenant) = (Resources::create().await?, FakeClock::default(), tenant());
    let log = || {
        let (table, clock) = (resources.table.clone(), Arc::new(clock.clone()));
        DynamoDbAuditLog::new(&resources.config, table, DAY * 400, clock)
    };
    for month in 0..4 {
        let (one, other) = (log(), log());
        let entry = |object: String| done(&tenant, "ci", Deed::JobCancel, &object);
        let adds = [
            one.append(entry(format!("{month}"))),
            other.append(entry(format!("{month}"))),
        ];
        join_all(adds).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        clock.advance(DAY * 31);
    }
    for limit in [1, 3, 100] {
        let entries = all(&log(), &tenant, &AuditFilter::default(), limit).await?;
        let objects: Vec<&str> = entries.iter().filter_map(|entry| entry.object.as_deref()).collect();
        assert_eq!(objects, ["3", "3", "2", "2", "1", "1", "0", "0"], "{limit} at a time");
    }
    let scan = resources.dynamodb().scan().table_name(&resources.table).send().await?;
    for item in scan.items.unwrap_or_default() {
        let over: i64 = item["expires_at"].as_n().ok().context("a number")?.parse()?;
        ensure!(over > (now() + DAY * 390).as_millis() / 1000, "{item:?}");
    }
    Ok(())
}
