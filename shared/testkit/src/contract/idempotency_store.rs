//! The behaviour of every [`IdempotencyStore`].

use std::time::Duration;

use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::time::Timestamp;
use callboard_core::submit::{IdempotencyKey, IdempotencyStore, KEY_LIFE, Reservation};
use futures_util::future::try_join_all;

use crate::contract::samples::{now, tenant};

const SECOND: Duration = Duration::from_secs(1);

/// Expands into one test per behaviour; `$make` returns a store and whatever must outlive it.
#[macro_export]
macro_rules! idempotency_store_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, idempotency_store, [
            a_key_stands_for_what_came_first,
            of_many_at_once_one_gets_the_key,
            keys_of_tenants_are_separate,
            a_key_is_free_again_when_its_time_is_over,
            an_answer_is_noted_for_its_own_job_only,
            a_freed_key_is_free_for_anybody,
            a_key_is_freed_by_its_own_job_only,
            keys_that_differ_in_any_character_are_different,
        ] }
    };
}

/// The first reservation is returned unchanged to everyone who comes later.
pub async fn a_key_stands_for_what_came_first(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (tenant, key, at) = (tenant(), key("once"), now());
    let (first, second) = (reservation(at), reservation(at + SECOND));
    assert_eq!(store.reserve(&tenant, &key, &first).await?, first);
    assert_eq!(store.reserve(&tenant, &key, &first).await?, first);
    assert_eq!(store.reserve(&tenant, &key, &second).await?, first);
    Ok(())
}

/// However many reserve at once, all get the same answer.
pub async fn of_many_at_once_one_gets_the_key(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (tenant, key, at) = (tenant(), key("race"), now());
    let ours: Vec<Reservation> = (0..20).map(|_| reservation(at)).collect();
    let reserving = ours.iter().map(|ours| store.reserve(&tenant, &key, ours));
    let told = try_join_all(reserving).await?;
    assert!(ours.contains(&told[0]));
    assert!(told.iter().all(|other| *other == told[0]), "{told:?}");
    Ok(())
}

/// The same key of another tenant is a different key.
pub async fn keys_of_tenants_are_separate(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (key, at) = (key("same"), now());
    for tenant in [tenant(), tenant()] {
        let ours = reservation(at);
        assert_eq!(store.reserve(&tenant, &key, &ours).await?, ours);
    }
    Ok(())
}

/// A key is reserved for exactly 24 hours, by the clock of the caller.
pub async fn a_key_is_free_again_when_its_time_is_over(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (tenant, key, at) = (tenant(), key("old"), now());
    let first = reservation(at);
    store.reserve(&tenant, &key, &first).await?;
    let late = reservation(at + KEY_LIFE - Duration::from_millis(1));
    assert_eq!(store.reserve(&tenant, &key, &late).await?, first);
    let next = reservation(at + KEY_LIFE);
    assert_eq!(store.reserve(&tenant, &key, &next).await?, next);
    Ok(())
}

/// Settling with another job's id changes nothing, for example when the key now stands for something else.
pub async fn an_answer_is_noted_for_its_own_job_only(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (tenant, key, first) = (tenant(), key("answer"), reservation(now()));
    store.settle(&tenant, &key, first.job).await?;
    store.reserve(&tenant, &key, &first).await?;
    store.settle(&tenant, &key, JobId::new()).await?;
    assert_eq!(store.reserve(&tenant, &key, &first).await?, first);
    for _ in 0..2 {
        store.settle(&tenant, &key, first.job).await?;
        let standing = store.reserve(&tenant, &key, &reservation(now())).await?;
        assert_eq!((standing.job, standing.answered), (first.job, true));
    }
    Ok(())
}

/// A request that could not be accepted leaves its key to the next one.
pub async fn a_freed_key_is_free_for_anybody(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (tenant, key, at) = (tenant(), key("freed"), now());
    let (first, second) = (reservation(at), reservation(at));
    store.reserve(&tenant, &key, &first).await?;
    for _ in 0..2 {
        store.free(&tenant, &key, first.job).await?;
    }
    assert_eq!(store.reserve(&tenant, &key, &second).await?, second);
    Ok(())
}

/// A key that belongs to another job stays reserved.
pub async fn a_key_is_freed_by_its_own_job_only(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (tenant, key, at) = (tenant(), key("kept"), now());
    let first = reservation(at);
    store.reserve(&tenant, &key, &first).await?;
    store.free(&tenant, &key, JobId::new()).await?;
    assert_eq!(store.reserve(&tenant, &key, &reservation(at)).await?, first);
    Ok(())
}

/// Keys are compared byte for byte, and may contain any visible character.
pub async fn keys_that_differ_in_any_character_are_different(store: &dyn IdempotencyStore) -> anyhow::Result<()> {
    let (tenant, at): (Tenant, Timestamp) = (tenant(), now());
    let longest = "k".repeat(255);
    for text in ["a", "A", "a#b", "a/b", "%61", "';--", "{\"a\"}", longest.as_str()] {
        let ours = reservation(at);
        assert_eq!(store.reserve(&tenant, &key(text), &ours).await?, ours, "{text}");
    }
    Ok(())
}

fn key(text: &str) -> IdempotencyKey {
    let Ok(key) = text.parse() else {
        unreachable!("the suite's keys are keys")
    };
    key
}

fn reservation(at: Timestamp) -> Reservation {
    Reservation {
        job: JobId::new(),
        request_sha256: "0".repeat(64),
        at,
        wait: SECOND,
        answered: false,
    }
}
