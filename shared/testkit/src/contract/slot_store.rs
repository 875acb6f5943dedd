//! The behaviour of every [`SlotStore`].

use std::collections::HashSet;

use callboard_core::base::id::{JobId, Tenant};
use callboard_core::job::{Slot, SlotStore};
use futures_util::future::try_join_all;

use crate::contract::samples::tenant;

/// Expands into one test per behaviour; `$make` returns a store and whatever must outlive it.
#[macro_export]
macro_rules! slot_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, slot_store, [
            a_place_is_taken_once_and_kept_until_it_is_given_back,
            those_who_wait_get_places_in_order,
            whoever_leaves_the_line_gets_no_place,
            of_many_at_once_so_many_get_a_place,
            slots_of_keys_and_tenants_are_separate,
            more_places_are_for_those_who_wait,
            a_slot_is_in_use_as_long_as_a_job_has_a_place_or_waits,
        ] }
    };
}

fn slot() -> Slot {
    keyed(&tenant(), "host:db1")
}

fn keyed(tenant: &Tenant, key: &str) -> Slot {
    Slot {
        tenant: tenant.clone(),
        concurrency_key: Some(key.to_owned()),
    }
}

/// Taking it again changes nothing, and a job that waits is told who has it.
pub async fn a_place_is_taken_once_and_kept_until_it_is_given_back(store: &dyn SlotStore) -> anyhow::Result<()> {
    let (slot, first, second) = (slot(), JobId::new(), JobId::new());
    for _ in 0..2 {
        assert_eq!(store.take(&slot, 1, first).await?, None);
    }
    for _ in 0..2 {
        assert_eq!(store.take(&slot, 1, second).await?, Some(first));
    }
    assert_eq!(store.promote(&slot, 1).await?, None);
    assert_eq!(store.jobs(&slot, 10).await?, [first, second]);
    assert_eq!(store.jobs(&slot, 1).await?, [first]);
    assert_eq!(store.taken(&slot).await?, 1);
    for _ in 0..2 {
        store.give_back(&slot, first).await?;
    }
    assert_eq!(store.taken(&slot).await?, 0);
    assert_eq!(store.promote(&slot, 1).await?, Some(second));
    assert_eq!(store.promote(&slot, 1).await?, None);
    assert_eq!(store.take(&slot, 1, second).await?, None);
    assert_eq!(store.take(&slot, 1, first).await?, Some(second));
    Ok(())
}

/// The oldest job goes first, whenever it joined the line.
pub async fn those_who_wait_get_places_in_order(store: &dyn SlotStore) -> anyhow::Result<()> {
    let (slot, mut jobs) = (slot(), Vec::new());
    for _ in 0..5 {
        jobs.push(JobId::new());
    }
    for index in [0, 3, 1, 4, 2] {
        store.take(&slot, 1, jobs[index]).await?;
    }
    for pair in jobs.windows(2) {
        store.give_back(&slot, pair[0]).await?;
        assert_eq!(store.promote(&slot, 1).await?, Some(pair[1]));
    }
    Ok(())
}

/// Such as one that was canceled while it waited.
pub async fn whoever_leaves_the_line_gets_no_place(store: &dyn SlotStore) -> anyhow::Result<()> {
    let (slot, holder, leaves, stays) = (slot(), JobId::new(), JobId::new(), JobId::new());
    for job in [holder, leaves, stays] {
        store.take(&slot, 1, job).await?;
    }
    store.give_back(&slot, leaves).await?;
    store.give_back(&slot, holder).await?;
    assert_eq!(store.promote(&slot, 1).await?, Some(stays));
    Ok(())
}

/// As many as there are places, whoever asks at once, and however often.
pub async fn of_many_at_once_so_many_get_a_place(store: &dyn SlotStore) -> anyhow::Result<()> {
    let slot = Slot {
        concurrency_key: None,
        ..slot()
    };
    let jobs: Vec<JobId> = (0..12).map(|_| JobId::new()).collect();
    let taken = try_join_all(jobs.iter().map(|job| store.take(&slot, 3, *job))).await?;
    assert_eq!(taken.iter().filter(|taken| taken.is_none()).count(), 3, "{taken:?}");
    let mut had: HashSet<JobId> = HashSet::new();
    let holders = |in_use: Vec<callboard_core::job::SlotInUse>| in_use.into_iter().flat_map(|used| used.holders);
    while let Some(job) = holders(store.in_use(10).await?).next() {
        had.insert(job);
        store.give_back(&slot, job).await?;
        store.promote(&slot, 3).await?;
        assert!(holders(store.in_use(10).await?).count() <= 3);
    }
    assert_eq!(had.len(), jobs.len(), "each had its turn");
    Ok(())
}

/// The same key of another tenant is another slot, and so is the quota of running jobs.
pub async fn slots_of_keys_and_tenants_are_separate(store: &dyn SlotStore) -> anyhow::Result<()> {
    let (one, other) = (tenant(), tenant());
    let quota = Slot {
        tenant: one.clone(),
        concurrency_key: None,
    };
    for slot in [
        keyed(&one, "a"),
        keyed(&one, "b"),
        keyed(&other, "a"),
        keyed(&one, "a#b"),
        quota,
    ] {
        let job = JobId::new();
        assert_eq!(store.take(&slot, 1, job).await?, None, "{slot:?}");
        assert_eq!(store.jobs(&slot, 10).await?, [job]);
    }
    Ok(())
}

/// As when an operator raises a quota.
pub async fn more_places_are_for_those_who_wait(store: &dyn SlotStore) -> anyhow::Result<()> {
    let (slot, first, second, third) = (slot(), JobId::new(), JobId::new(), JobId::new());
    for job in [first, second, third] {
        store.take(&slot, 1, job).await?;
    }
    assert_eq!(store.promote(&slot, 2).await?, Some(second));
    assert_eq!(store.promote(&slot, 2).await?, None);
    assert_eq!(store.promote(&slot, u32::MAX).await?, Some(third));
    Ok(())
}

/// A sweep finds it even if whoever gave the last place back died before it promoted the next.
pub async fn a_slot_is_in_use_as_long_as_a_job_has_a_place_or_waits(store: &dyn SlotStore) -> anyhow::Result<()> {
    let (slot, first, second) = (slot(), JobId::new(), JobId::new());
    assert_eq!(store.in_use(10).await?, []);
    store.take(&slot, 1, first).await?;
    store.take(&slot, 1, second).await?;
    let found = store.in_use(10).await?;
    assert_eq!((&found[0].slot, &found[0].holders), (&slot, &vec![first]));
    store.give_back(&slot, first).await?;
    let found = store.in_use(10).await?;
    assert_eq!((&found[0].slot, found[0].holders.len()), (&slot, 0));
    assert_eq!(store.promote(&slot, 1).await?, Some(second));
    store.give_back(&slot, second).await?;
    assert_eq!(store.promote(&slot, 1).await?, None);
    assert_eq!(store.in_use(10).await?, []);
    Ok(())
}
