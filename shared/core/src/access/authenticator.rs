//! Finds out who asks, by what they show.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::caller::Caller;
use super::key::{ApiKey, KeyId, Presented};
use super::key_store::KeyStore;
use super::token_verifier::{TokenVerifier, Unverified};
use crate::base::causes::causes;
use crate::base::store_error::StoreError;
use crate::base::time::Clock;

/// How long a key that was read is known: less than the five seconds after which a revoked one is refused everywhere.
const HOLDS: Duration = Duration::from_secs(4);
/// How many keys are known at a time, and from how many on those are forgotten that were read too long ago.
const MOST: usize = 10_000;
const MANY: usize = 100;

/// Finds out who asks.
pub struct Authenticator {
    keys: Arc<dyn KeyStore>,
    tokens: Option<Arc<dyn TokenVerifier>>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<KeyId, (Duration, Arc<ApiKey>)>>,
    /// Whether a key was seen. It stays, be it revoked.
    has_keys: AtomicBool,
}

/// Why it is not known who asks.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// What is shown is not valid. The text says so in a sentence.
    #[error("{0}")]
    Refused(String),
    /// Whoever knows cannot be asked at the moment.
    #[error("the caller cannot be identified at the moment")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl Authenticator {
    /// Makes one that knows keys, and tokens if there are issuers.
    #[must_use]
    pub fn new(keys: Arc<dyn KeyStore>, tokens: Option<Arc<dyn TokenVerifier>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            keys,
            tokens,
            clock,
            known: Mutex::default(),
            has_keys: AtomicBool::new(false),
        }
    }

    /// Returns who shows a key or a token.
    ///
    /// # Errors
    /// [`Unknown`] says why that is not known.
    pub async fn caller(&self, shown: &str) -> Result<Caller, Unknown> {
        if Presented::is_like(shown) {
            return self.by_key(shown).await;
        }
        let Some(tokens) = &self.tokens else {
            return Err(refused(
                "What the request shows is no API key, and tokens of no issuer are accepted here.",
            ));
        };
        tokens
            .verify(shown, self.clock.now())
            .await
            .map_err(|error| match error {
                Unverified::Refused(told) => Unknown::Refused(told),
                unavailable @ Unverified::Unavailable(_) => Unknown::Unavailable(Box::new(unavailable)),
            })
    }

    /// Returns whether nobody could be known: there is no key, and there are no issuers.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn knows_nobody(&self) -> Result<bool, StoreError> {
        if self.tokens.is_some() || self.has_keys.load(Ordering::Acquire) {
            return Ok(false);
        }
        let empty = self.keys.is_empty().await?;
        self.has_keys.fetch_or(!empty, Ordering::AcqRel);
        Ok(empty)
    }

    async fn by_key(&self, shown: &str) -> Result<Caller, Unknown> {
        let presented: Presented = shown.parse().map_err(|_| {
            refused("The API key is not valid: its form or its checksum is wrong. Check that it was copied whole.")
        })?;
        let (hash, now) = (presented.hash(), self.clock.now());
        let key = match self.known_key(&presented.id) {
            Some(key) if key.has(&hash, now) => key,
            // it may have been rotated since
            _ => self.read(&presented.id).await?,
        };
        if !key.has(&hash, now) {
            return Err(unknown_key());
        }
        if key.revoked_at.is_some() {
            return Err(refused("The API key was revoked."));
        }
        if !key.is_in_force(now) {
            return Err(refused("The API key has expired; make another."));
        }
        if key.is_use_due(now) {
            self.note_use(&key).await;
        }
        Ok(key.caller())
    }

    fn known_key(&self, id: &KeyId) -> Option<Arc<ApiKey>> {
        let now = self.clock.elapsed();
        let known = self.known();
        let (at, key) = known.get(id)?;
        (now.saturating_sub(*at) < HOLDS).then(|| Arc::clone(key))
    }

    async fn read(&self, id: &KeyId) -> Result<Arc<ApiKey>, Unknown> {
        let now = self.clock.elapsed();
        match self.keys.get(id).await {
            Ok(key) => {
                let key = Arc::new(key);
                self.know(now, &key);
                Ok(key)
            }
            Err(StoreError::NotFound) => Err(unknown_key()),
            Err(error) => Err(Unknown::Unavailable(Box::new(error))),
        }
    }

    /// Notes a use. It is forgotten where the store does not answer: the caller is known all the same.
    async fn note_use(&self, key: &ApiKey) {
        let at = self.clock.now();
        // before the store is asked, so that of many requests at once one does; this makes what is known no newer
        if let Some((_, known)) = self.known().get_mut(&key.id) {
            *known = Arc::new(ApiKey {
                last_used_at: Some(at),
                ..ApiKey::clone(known)
            });
        }
        if let Err(error) = self.keys.used(&key.id, at).await {
            tracing::warn!(key.id = %key.id, error = %causes(&error), "the use of a key could not be noted");
        }
    }

    fn know(&self, now: Duration, key: &Arc<ApiKey>) {
        let mut known = self.known();
        if known.len() >= MANY && !known.contains_key(&key.id) {
            known.retain(|_, (at, _)| now.saturating_sub(*at) < HOLDS);
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(key.id.clone(), (now, Arc::clone(key)));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<KeyId, (Duration, Arc<ApiKey>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same for a key that there is not, and for one whose secret is wrong.
fn unknown_key() -> Unknown {
    refused("There is no such API key.")
}

fn refused(told: &str) -> Unknown {
    Unknown::Refused(told.to_owned())
}
