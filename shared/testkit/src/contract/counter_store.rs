//! The behaviour of every [`CounterStore`].

use std::time::Duration;

use callboard_core::job::{Counter, CounterStore};
use futures_util::future::try_join_all;

use crate::contract::samples::{now, tenant};

/// Expands into one test per behaviour; `$make` returns a store and whatever must outlive it.
#[macro_export]
macro_rules! counter_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, counter_store, [
            counts_of_periods_are_separate_and_summed_from_one_on,
            what_is_added_at_once_is_all_counted,
        ] }
    };
}

/// Those of tenants and of other counters are separate as well.
pub async fn counts_of_periods_are_separate_and_summed_from_one_on(store: &dyn CounterStore) -> anyhow::Result<()> {
    let (one, other, until) = (tenant(), tenant(), now() + Duration::from_secs(3600));
    let add = async |tenant, counter, period, amount| store.add(tenant, counter, period, amount, until).await;
    assert_eq!(add(&one, Counter::StoredBytes, 9, 5).await?, 5);
    assert_eq!(add(&one, Counter::StoredBytes, 10, 7).await?, 7);
    assert_eq!(add(&one, Counter::StoredBytes, 10, 1 << 40).await?, (1 << 40) + 7);
    assert_eq!(add(&one, Counter::Submissions, 10, 1).await?, 1);
    assert_eq!(add(&other, Counter::StoredBytes, 10, 3).await?, 3);
    for (from, sum) in [(0, (1 << 40) + 12), (9, (1 << 40) + 12), (10, (1 << 40) + 7), (11, 0)] {
        assert_eq!(store.sum(&one, Counter::StoredBytes, from).await?, sum, "{from}");
    }
    Ok(())
}

/// None is lost.
pub async fn what_is_added_at_once_is_all_counted(store: &dyn CounterStore) -> anyhow::Result<()> {
    let (tenant, until) = (tenant(), now() + Duration::from_secs(60));
    let adds = (0..20).map(|_| store.add(&tenant, Counter::Submissions, 1, 1, until));
    let mut counts = try_join_all(adds).await?;
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<u64>>());
    Ok(())
}
