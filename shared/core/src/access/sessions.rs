//! Beginning, renewing and ending sessions.

use std::time::Duration;

use super::caller::Caller;
use super::key::{ApiKey, Former};
use super::key_store::KeyStore;
use super::keys::KeyError;
use super::presented::{Presented, SecretHash};
use super::session::{Parent, Session};
use crate::base::secret::Secret;
use crate::base::store_error::StoreError;
use crate::base::time::{Clock, Timestamp};

/// How long a session lasts.
const LIFE: Duration = Duration::from_secs(8 * 3600);
/// How old a session's secret may be before it is replaced.
const FRESH: Duration = Duration::from_secs(3600);
/// How long the former secret is accepted: for requests that are on their way, and answers that wait for a job to end.
const OVERLAP: Duration = Duration::from_secs(60);

/// Begins a session of a caller; returns it with the text that its cookie shows, which is not kept. `parent` is the key that the caller
/// has shown, if it was no token.
///
/// # Errors
/// It could not be stored.
pub async fn begin(
    store: &dyn KeyStore,
    clock: &dyn Clock,
    caller: &Caller,
    parent: Option<Parent>,
) -> Result<(ApiKey, Secret), KeyError> {
    let (presented, now) = (Presented::generate()?, clock.now());
    // the token of a login often ends within minutes
    let end = caller.until.filter(|_| !caller.logs_in);
    let key = ApiKey {
        expires_at: Some(end.map_or(now + LIFE, |end| end.min(now + LIFE))),
        session: Some(Session {
            subject: caller.subject.clone(),
            parent,
            first: presented.hash(),
        }),
        ..ApiKey::of(caller, &presented, now)
    };
    store.create(&key).await?;
    tracing::info!(key.id = %key.id, key.tenant = key.tenant.as_str(), by = caller.name, "a session begins");
    Ok((key, presented.text()))
}

/// Replaces the secret of a session that is due for it, which a request has shown; returns the text that its cookie shows from now on.
/// Of many requests at once, one gets it: the others' answers leave the cookie to that one.
///
/// # Errors
/// The store does not answer, or the system has no randomness.
pub(super) async fn renew(
    store: &dyn KeyStore,
    key: &ApiKey,
    shown: &SecretHash,
    now: Timestamp,
) -> Result<Option<(ApiKey, Secret)>, KeyError> {
    if !key.hash.is(shown) || since(key) + FRESH > now {
        return Ok(None);
    }
    let presented = Presented::renewed(key.id.clone())?;
    let former = Former {
        hash: key.hash,
        until: now + OVERLAP,
    };
    let rotated = store.rotate(&key.id, Some(key.hash), presented.hash(), Some(former));
    match rotated.await {
        Ok(key) => Ok(Some((key, presented.text()))),
        // another request was first, or the session has ended
        Err(StoreError::Conflict | StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Ends a session.
///
/// # Errors
/// The store does not answer.
pub async fn end(store: &dyn KeyStore, clock: &dyn Clock, key: &ApiKey) -> Result<(), StoreError> {
    match store.revoke(&key.id, clock.now()).await {
        // it was over, and is forgotten
        Ok(_) | Err(StoreError::NotFound) => {}
        Err(error) => return Err(error),
    }
    tracing::info!(key.id = %key.id, by = key.name, "a session is ended");
    Ok(())
}

/// Returns since when a session has its secret.
fn since(key: &ApiKey) -> Timestamp {
    let former = key.former.as_ref();
    former.map_or(key.created_at, |former| former.until - OVERLAP)
}
