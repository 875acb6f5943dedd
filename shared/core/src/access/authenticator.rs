//! Finds out who asks, by what they show.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::caller::Caller;
use super::key::ApiKey;
use super::key_store::KeyStore;
use super::presented::{KeyId, Presented, SecretHash};
use super::session::Parent;
use super::sessions;
use super::token_verifier::{TokenVerifier, Unverified};
use crate::base::causes::causes;
use crate::base::secret::Secret;
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

/// Who asks, and how that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who asks.
    pub caller: Caller,
    /// What it has shown.
    pub by: By,
}

/// What a caller has shown.
#[derive(Clone, Debug)]
pub enum By {
    /// A key, by which a session can be made.
    Key(Parent),
    /// A token.
    Token,
    /// A session, and what is kept of the secret that was shown for it.
    Session(Arc<ApiKey>, SecretHash),
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

impl Unknown {
    /// Returns what is told of a session that is not accepted.
    fn of_session(self) -> Self {
        match self {
            Self::Refused(_) => no_session(),
            unavailable @ Self::Unavailable(_) => unavailable,
        }
    }
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
    pub async fn caller(&self, shown: &str) -> Result<Known, Unknown> {
        if Presented::is_like(shown) {
            return self.by_key(shown).await;
        }
        let Some(tokens) = &self.tokens else {
            return Err(refused(
                "What the request shows is no API key, and tokens of no issuer are accepted here.",
            ));
        };
        let verified = tokens.verify(shown, self.clock.now()).await;
        let caller = verified.map_err(|error| match error {
            Unverified::Refused(told) => Unknown::Refused(told),
            unavailable @ Unverified::Unavailable(_) => Unknown::Unavailable(Box::new(unavailable)),
        })?;
        Ok(Known { caller, by: By::Token })
    }

    /// Returns who shows the cookie of a session.
    ///
    /// # Errors
    /// [`Unknown`] says why that is not known.
    pub async fn session(&self, shown: &str) -> Result<Known, Unknown> {
        let presented: Presented = shown.parse().map_err(|_| no_session())?;
        let hash = presented.hash();
        let key = self.key(&presented.id, &hash).await.map_err(Unknown::of_session)?;
        let session = key.session.as_ref().ok_or_else(no_session)?;
        let caller = match &session.parent {
            None => key.caller(),
            // a session is who its key is, for as long as that is accepted
            Some(parent) => {
                let parent = self.key(&parent.id, &parent.hash).await;
                parent.map_err(Unknown::of_session)?.caller()
            }
        };
        self.note_use(&key).await;
        let by = By::Session(key, hash);
        Ok(Known { caller, by })
    }

    /// Replaces a session's secret if it is due for it; returns what its cookie shows from now on, and for how long. Where the store does
    /// not answer, a later request does it.
    pub async fn renewed(&self, key: &ApiKey, shown: &SecretHash) -> Option<(Secret, Duration)> {
        let (read, now) = (self.clock.elapsed(), self.clock.now());
        match sessions::renew(&*self.keys, key, shown, now).await {
            Ok(renewed) => renewed.map(|(key, text)| {
                let life = key.life(now);
                self.know(read, &Arc::new(key));
                (text, life)
            }),
            Err(error) => {
                tracing::warn!(key.id = %key.id, error = %causes(&error), "a session could not be renewed");
                None
            }
        }
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

    async fn by_key(&self, shown: &str) -> Result<Known, Unknown> {
        let presented: Presented = shown.parse().map_err(|_| {
            refused("The API key is not valid: its form or its checksum is wrong. Check that it was copied whole.")
        })?;
        let hash = presented.hash();
        let key = self.key(&presented.id, &hash).await?;
        // what a page cannot read is not to become what it can send
        if key.session.is_some() {
            return Err(unknown_key());
        }
        self.note_use(&key).await;
        Ok(Known {
            caller: key.caller(),
            by: By::Key(Parent { id: presented.id, hash }),
        })
    }

    /// Returns a key that is accepted with a secret.
    async fn key(&self, id: &KeyId, hash: &SecretHash) -> Result<Arc<ApiKey>, Unknown> {
        let now = self.clock.now();
        let key = match self.known_key(id) {
            Some(key) if key.has(hash, now) => key,
            // it may have been rotated since
            _ => self.read(id).await?,
        };
        if !key.has(hash, now) {
            return Err(unknown_key());
        }
        if key.revoked_at.is_some() {
            return Err(refused("The API key was revoked."));
        }
        if !key.is_in_force(now) {
            return Err(refused("The API key has expired; make another."));
        }
        Ok(key)
    }

    /// Has a key read again with the next request that shows it: it was changed here, and need not be waited for.
    pub fn forget(&self, id: &KeyId) {
        self.known().remove(id);
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

    /// Notes a use, if that is due. It is forgotten where the store does not answer: the caller is known all the same.
    async fn note_use(&self, key: &ApiKey) {
        let at = self.clock.now();
        if !key.is_use_due(at) {
            return;
        }
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

/// The same for a session that there is not, one that is over, and one whose key is not accepted any more.
fn no_session() -> Unknown {
    refused("The session is over, or there is none. Log in again: POST /api/v1/session with an API key or a token.")
}

fn refused(told: &str) -> Unknown {
    Unknown::Refused(told.to_owned())
}
