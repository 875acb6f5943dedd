//! Who shows a key, with a store that counts and fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use callboard_core::access::keys::{self, KeyError, NewKey};
use callboard_core::access::{
    ApiKey, Authenticator, By, Caller, Former, KeyId, KeyKind, KeyPage, KeyStore, Presented, SecretHash, Unknown,
    sessions,
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

    async fn list(
        &self,
        tenant: &Tenant,
        kind: KeyKind,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<KeyPage, StoreError> {
        self.inner.list(tenant, kind, after, limit).await
    }

    async fn rotate(
        &self,
        id: &KeyId,
        from: Option<SecretHash>,
        hash: SecretHash,
        former: Option<Former>,
    ) -> Result<ApiKey, StoreError> {
        self.inner.rotate(id, from, hash, former).await
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

    /// Begins a session of a key's holder.
    async fn session(&self, key: &str) -> anyhow::Result<(ApiKey, String)> {
        let known = self.authenticator.caller(key).await?;
        let By::Key(parent) = known.by else {
            anyhow::bail!("{known:?}")
        };
        let (session, text) = sessions::begin(&*self.store, &*self.clock, &known.caller, Some(parent)).await?;
        Ok((session, text.expose().to_owned()))
    }

    /// Returns the session's CSRF token, and its next cookie, if it is renewed.
    async fn renewed(&self, cookie: &str) -> anyhow::Result<(Option<String>, Option<String>)> {
        let known = self.authenticator.session(cookie).await?;
        let By::Session(key, hash) = known.by else {
            anyhow::bail!("{known:?}")
        };
        let renewed = self.authenticator.renewed(&key, &hash).await;
        Ok((key.csrf_token(), renewed.map(|(text, _)| text.expose().to_owned())))
    }

    async fn is_over(&self, cookie: &str) -> anyhow::Result<()> {
        match self.authenticator.session(cookie).await {
            Err(Unknown::Refused(told)) if told.starts_with("The session is over") => Ok(()),
            other => anyhow::bail!("{other:?}"),
        }
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
        let caller = world.authenticator.caller(&text).await?.caller;
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

#[tokio::test]
async fn a_session_ends_with_its_key_with_that_key_s_secret_and_after_eight_hours() -> anyhow::Result<()> {
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    for (expires, lasts) in [("90d", hour * 8), ("1h", hour)] {
        let world = World::new().await?;
        let (key, text) = world.key(expires).await?;
        let (_, cookie) = world.session(&text).await?;
        let known = world.authenticator.session(&cookie).await?;
        ensure!(
            known.caller == world.authenticator.caller(&text).await?.caller,
            "{known:?}"
        );
        ensure!(known.caller.subject == format!("key:{}", key.id), "{known:?}");
        world.clock.advance(lasts - second);
        world.authenticator.session(&cookie).await?;
        world.clock.advance(second);
        world.is_over(&cookie).await?;
    }
    for revokes in [true, false] {
        let world = World::new().await?;
        let (key, text) = world.key("90d").await?;
        let (_, cookie) = world.session(&text).await?;
        world.authenticator.session(&cookie).await?;
        match revokes {
            true => drop(keys::revoke(&*world.store, &*world.clock, &world.operator, &key.id).await?),
            false => {
                drop(keys::rotate(&*world.store, &*world.clock, &world.operator, &key.id, Duration::ZERO).await?);
            }
        }
        world.clock.advance(second * 5);
        world.is_over(&cookie).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_session_is_renewed_once_an_hour_and_its_csrf_token_stays() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (_, text) = world.key("90d").await?;
    let (first, mut cookie) = world.session(&text).await?;
    let mut renewals = 0;
    for _ in 0..7 * 6 {
        world.clock.advance(Duration::from_secs(600));
        let (token, renewed) = world.renewed(&cookie).await?;
        ensure!(token.is_some() && token == first.csrf_token());
        if let Some(renewed) = renewed {
            let former = std::mem::replace(&mut cookie, renewed);
            // for a minute, and it is not renewed again
            ensure!(world.renewed(&former).await?.1.is_none());
            world.clock.advance(Duration::from_secs(61));
            world.is_over(&former).await?;
            renewals += 1;
        }
    }
    ensure!(renewals == 7, "{renewals}");
    Ok(())
}

#[tokio::test]
async fn a_session_is_no_key_a_key_is_no_session_and_neither_is_let_in_by_a_store_that_is_down() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (key, text) = world.key("90d").await?;
    let (session, cookie) = world.session(&text).await?;
    ensure!(world.refusal(&cookie).await? == "There is no such API key.");
    for wrong in [
        text.as_str(),
        "",
        "cbk_",
        Presented::renewed(session.id.clone())?.text().expose(),
    ] {
        world.is_over(wrong).await?;
    }
    world.clock.advance(Duration::from_secs(5));
    world.store.is_down.store(true, Ordering::SeqCst);
    let unknown = world.authenticator.session(&cookie).await;
    ensure!(matches!(unknown, Err(Unknown::Unavailable(_))), "{unknown:?}");
    world.store.is_down.store(false, Ordering::SeqCst);
    let other = keys::rotate(
        &*world.store,
        &*world.clock,
        &world.operator,
        &session.id,
        Duration::ZERO,
    )
    .await;
    ensure!(matches!(other, Err(KeyError::Forbidden(_))), "{other:?}");
    // its own holder ends it as it ends its key
    let holder = world.authenticator.session(&cookie).await?.caller;
    ensure!(holder.subject == key.caller().subject);
    keys::revoke(&*world.store, &*world.clock, &holder, &session.id).await?;
    world.clock.advance(Duration::from_secs(5));
    world.is_over(&cookie).await?;
    Ok(())
}
