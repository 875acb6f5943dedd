//! Who shows a key, with a store that counts and fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use callboard_core::access::keys::{self, NewKey};
use callboard_core::access::{
    ApiKey, Authenticator, Caller, Former, KeyId, KeyPage, KeyStore, Presented, SecretHash, Unknown,
};
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_embedded::SqliteKeyStore;
use callboard_testkit::contract::clock::FakeClock;
use serde_json::json;
use tempfile::TempDir;

struct Watched {
    inner: SqliteKeyStore,
    is_down: AtomicBool,
    reads: AtomicU32,
    uses: AtomicU32,
}

impl Watched {
    fn up(&self) -> Result<(), StoreError> {
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("it is down".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl KeyStore for Watched {
    async fn create(&self, key: &ApiKey) -> Result<(), StoreError> {
        self.inner.create(key).await
    }

    async fn get(&self, id: &KeyId) -> Result<ApiKey, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        self.inner.get(id).await
    }

    async fn list(&self, tenant: &Tenant, after: Option<&KeyId>, limit: u32) -> Result<KeyPage, StoreError> {
        self.inner.list(tenant, after, limit).await
    }

    async fn rotate(&self, id: &KeyId, hash: SecretHash, former: Option<Former>) -> Result<ApiKey, StoreError> {
        self.inner.rotate(id, hash, former).await
    }

    async fn revoke(&self, id: &KeyId, now: Timestamp) -> Result<ApiKey, StoreError> {
        self.inner.revoke(id, now).await
    }

    async fn used(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        self.uses.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        self.inner.used(id, at).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.up()?;
        self.inner.is_empty().await
    }
}

struct World {
    store: Arc<Watched>,
    clock: Arc<FakeClock>,
    authenticator: Authenticator,
    operator: Caller,
    _folder: TempDir,
}

impl World {
    async fn new() -> anyhow::Result<Self> {
        let (inner, folder) = crate::api_keys::make().await?;
        let store = Arc::new(Watched {
            inner,
            is_down: AtomicBool::new(false),
            reads: AtomicU32::new(0),
            uses: AtomicU32::new(0),
        });
        let clock = Arc::new(FakeClock::default());
        Ok(Self {
            authenticator: Authenticator::new(store.clone(), None, clock.clone()),
            store,
            clock,
            operator: Caller::everybody("test".to_owned()),
            _folder: folder,
        })
    }

    /// Makes a key; returns it and its text.
    async fn key(&self, expires: &str) -> anyhow::Result<(ApiKey, String)> {
        let body = json!({"name": "ci", "scopes": ["jobs:read"], "expires": expires});
        let new = NewKey::read(&body, &[]).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let (key, text) = keys::create(&*self.store, &*self.clock, &self.operator, new).await?;
        Ok((key, text.expose().to_owned()))
    }

    fn reads(&self) -> u32 {
        self.store.reads.swap(0, Ordering::SeqCst)
    }

    async fn refusal(&self, shown: &str) -> anyhow::Result<String> {
        match self.authenticator.caller(shown).await {
            Err(Unknown::Refused(told)) => Ok(told),
            other => anyhow::bail!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_key_is_read_once_in_four_seconds_and_revoked_within_five() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (key, text) = world.key("90d").await?;
    for _ in 0..10 {
        let caller = world.authenticator.caller(&text).await?;
        ensure!(
            caller.name == "key:ci" && caller.subject == format!("key:{}", key.id),
            "{caller:?}"
        );
    }
    ensure!(world.reads() == 1);
    keys::revoke(&*world.store, &*world.clock, &world.operator, &key.id).await?;
    world.clock.advance(Duration::from_millis(3900));
    world.authenticator.caller(&text).await?;
    world.clock.advance(Duration::from_millis(200));
    ensure!(world.refusal(&text).await?.contains("revoked"));
    Ok(())
}

#[tokio::test]
async fn a_new_secret_is_accepted_at_once_and_the_former_one_until_its_time_is_over() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (key, first) = world.key("90d").await?;
    world.authenticator.caller(&first).await?;
    let hour = Duration::from_secs(3600);
    let (_, second) = keys::rotate(&*world.store, &*world.clock, &world.operator, &key.id, hour).await?;
    world.authenticator.caller(second.expose()).await?;
    world.authenticator.caller(&first).await?;
    world.clock.advance(hour + Duration::from_secs(5));
    world.authenticator.caller(second.expose()).await?;
    ensure!(world.refusal(&first).await? == "There is no such API key.");
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_get_the_same_answer_after_the_same_reads() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (key, text) = world.key("90d").await?;
    world.authenticator.caller(&text).await?;
    world.reads();
    let wrong = Presented::renewed(key.id)?.text();
    let unknown = Presented::generate()?.text();
    for _ in 0..3 {
        let told = (world.refusal(wrong.expose()).await?, world.reads());
        ensure!(
            told == (world.refusal(unknown.expose()).await?, world.reads()),
            "{told:?}"
        );
        ensure!(told.1 == 1, "{told:?}");
    }
    // one that was mistyped is not looked for
    let mistyped = text.replace("cbk_", "cbk_x");
    ensure!(world.refusal(&mistyped).await?.contains("copied whole") && world.reads() == 0);
    ensure!(world.refusal("eyJ.a.token").await?.contains("no issuer"));
    Ok(())
}

#[tokio::test]
async fn a_key_expires_and_its_use_is_noted_once_in_ten_minutes() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (key, text) = world.key("1h").await?;
    for _ in 0..59 {
        for _ in 0..3 {
            world.authenticator.caller(&text).await?;
        }
        world.clock.advance(Duration::from_secs(60));
    }
    let noted = world.store.uses.load(Ordering::SeqCst);
    ensure!((6..=7).contains(&noted), "{noted}");
    ensure!(world.store.inner.get(&key.id).await?.last_used_at.context("a use")? > key.created_at);
    world.clock.advance(Duration::from_secs(61));
    ensure!(world.refusal(&text).await?.contains("expired"));
    Ok(())
}

#[tokio::test]
async fn a_store_that_is_down_lets_nobody_in() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (_, text) = world.key("90d").await?;
    world.store.is_down.store(true, Ordering::SeqCst);
    let unknown = world.authenticator.caller(&text).await;
    ensure!(matches!(unknown, Err(Unknown::Unavailable(_))), "{unknown:?}");
    ensure!(
        world.authenticator.knows_nobody().await.is_err(),
        "it is not taken for empty"
    );
    world.store.is_down.store(false, Ordering::SeqCst);
    world.authenticator.caller(&text).await?;
    // a use that cannot be noted keeps nobody out
    world.clock.advance(Duration::from_secs(601));
    world.authenticator.caller(&text).await?;
    Ok(())
}

#[tokio::test]
async fn the_first_key_counts_at_once_and_for_ever() -> anyhow::Result<()> {
    let world = World::new().await?;
    for _ in 0..5 {
        ensure!(world.authenticator.knows_nobody().await?);
    }
    let (key, _) = world.key("90d").await?;
    ensure!(!world.authenticator.knows_nobody().await?);
    keys::revoke(&*world.store, &*world.clock, &world.operator, &key.id).await?;
    world.clock.advance(Duration::from_secs(3600));
    world.reads();
    ensure!(
        !world.authenticator.knows_nobody().await? && world.reads() == 0,
        "a revoked key does not open the door"
    );
    Ok(())
}
