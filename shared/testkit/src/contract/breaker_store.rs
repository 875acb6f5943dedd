//! The behaviour of every [`BreakerStore`].

use std::time::Duration;

use callboard_core::base::id::Tenant;
use callboard_core::base::time::Timestamp;
use callboard_core::run::{Admission, Breaker, BreakerRule, BreakerStore};
use futures_util::future::try_join_all;

use crate::contract::samples::{now, tenant};

const RULE: BreakerRule = BreakerRule {
    failure_threshold: 3,
    reset_timeout: Duration::from_secs(60),
};
const SECOND: Duration = Duration::from_secs(1);

/// Expands into one test per behaviour; `$make` returns a store and whatever must outlive it.
#[macro_export]
macro_rules! breaker_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, breaker_store, [
            a_breaker_opens_after_failures_in_a_row,
            a_breaker_that_was_open_lets_one_call_through,
            a_success_closes_a_breaker,
            failures_at_once_are_all_counted,
            breakers_of_names_and_tenants_are_separate,
        ] }
    };
}

async fn fail(store: &dyn BreakerStore, tenant: &Tenant, times: u32, at: Timestamp) -> anyhow::Result<()> {
    for _ in 0..times {
        store.note(tenant, "billing", true, RULE, at).await?;
    }
    Ok(())
}

/// Fewer failures, or failures with a success between them, do not open it.
pub async fn a_breaker_opens_after_failures_in_a_row(store: &dyn BreakerStore) -> anyhow::Result<()> {
    let (tenant, at) = (tenant(), now());
    fail(store, &tenant, 2, at).await?;
    store.note(&tenant, "billing", false, RULE, at).await?;
    fail(store, &tenant, 2, at).await?;
    assert_eq!(store.admit(&tenant, "billing", RULE, at).await?, Admission::Closed);
    let breaker = store.note(&tenant, "billing", true, RULE, at).await?;
    assert_eq!((breaker.failures, breaker.open_until), (3, Some(at + SECOND * 60)));
    for later in [at, at + SECOND * 59] {
        let admission = store.admit(&tenant, "billing", RULE, later).await?;
        assert_eq!(admission, Admission::Open(at + SECOND * 60));
    }
    Ok(())
}

/// Of many that ask at once when its time is over, one is let through; if nothing comes of that, another one as long after.
pub async fn a_breaker_that_was_open_lets_one_call_through(store: &dyn BreakerStore) -> anyhow::Result<()> {
    let (tenant, at) = (tenant(), now());
    fail(store, &tenant, 3, at).await?;
    let over = at + SECOND * 61;
    let asked = (0..8).map(|_| store.admit(&tenant, "billing", RULE, over));
    let told = try_join_all(asked).await?;
    let trials = told.iter().filter(|told| **told == Admission::Trial).count();
    let refused = told.iter().filter(|told| **told == Admission::Open(over + SECOND * 60));
    assert_eq!((trials, refused.count()), (1, 7), "{told:?}");
    let admission = store.admit(&tenant, "billing", RULE, over + SECOND * 60).await?;
    assert_eq!(admission, Admission::Trial);
    store.note(&tenant, "billing", true, RULE, over + SECOND * 62).await?;
    let admission = store.admit(&tenant, "billing", RULE, over + SECOND * 63).await?;
    assert_eq!(admission, Admission::Open(over + SECOND * 122));
    Ok(())
}

/// It is then as new.
pub async fn a_success_closes_a_breaker(store: &dyn BreakerStore) -> anyhow::Result<()> {
    let (tenant, at) = (tenant(), now());
    fail(store, &tenant, 3, at).await?;
    let closed = store.note(&tenant, "billing", false, RULE, at).await?;
    assert_eq!(closed, Breaker::default());
    assert_eq!(store.admit(&tenant, "billing", RULE, at).await?, Admission::Closed);
    fail(store, &tenant, 2, at).await?;
    assert_eq!(store.admit(&tenant, "billing", RULE, at).await?, Admission::Closed);
    Ok(())
}

/// Workers that fail at the same time do not overwrite one another's counts.
pub async fn failures_at_once_are_all_counted(store: &dyn BreakerStore) -> anyhow::Result<()> {
    let (tenant, at) = (tenant(), now());
    try_join_all((0..3).map(|_| store.note(&tenant, "billing", true, RULE, at))).await?;
    let admission = store.admit(&tenant, "billing", RULE, at).await?;
    assert_eq!(admission, Admission::Open(at + SECOND * 60));
    Ok(())
}

/// What fails for one does not concern another.
pub async fn breakers_of_names_and_tenants_are_separate(store: &dyn BreakerStore) -> anyhow::Result<()> {
    let (ours, theirs, at) = (tenant(), tenant(), now());
    fail(store, &ours, 3, at).await?;
    assert_eq!(store.admit(&theirs, "billing", RULE, at).await?, Admission::Closed);
    assert_eq!(store.admit(&ours, "shipping", RULE, at).await?, Admission::Closed);
    Ok(())
}
