//! Making, rotating and revoking API keys, on behalf of a caller.

use std::time::Duration;

use super::caller::Caller;
use super::key::{ApiKey, Former, KeyKind};
use super::key_store::KeyStore;
use super::presented::{KeyId, Presented};
use super::rules::grant::tenant;
use super::scopes::Scopes;
use crate::base::fields::{Faults, FieldError, Fields};
use crate::base::id::Tenant;
use crate::base::secret::Secret;
use crate::base::store_error::StoreError;
use crate::base::time::{Clock, Timestamp};

const MAX_NAME_BYTES: usize = 63;
/// How many keys are looked at at a time.
const PAGE: u32 = 100;
const MAX_SCOPES: usize = 50;
const MAX_SCOPES_BYTES: usize = 8192;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a key is accepted if its maker does not say.
const DEFAULT_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
const MAX_LIFE: Duration = Duration::from_secs(3650 * 24 * 3600);
/// How long a secret that was replaced is accepted if nobody says.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 3600);
const MAX_OVERLAP: Duration = Duration::from_secs(30 * 24 * 3600);

/// A key to make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewKey {
    /// What it is called.
    pub name: String,
    /// What its holder may do.
    pub scopes: Scopes,
    /// Whose key it is; the caller's tenant's, if absent.
    pub tenant: Option<Tenant>,
    /// How long it is accepted.
    pub life: Life,
}

/// How long a key is accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Life {
    /// 90 days, or until its maker's own end.
    Usual,
    /// For this time.
    For(Duration),
    /// Without end.
    Endless,
}

/// Why a key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The caller may not give that.
    #[error("{0}")]
    Forbidden(String),
    /// A key of the tenant has that name, and is in force.
    #[error("the key {id} of the tenant {} is called {name:?} already; choose another name, or rotate or revoke that one", tenant.as_str())]
    NameTaken {
        /// The key's id.
        id: KeyId,
        /// Whose it is.
        tenant: Tenant,
        /// The name.
        name: String,
    },
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Randomness(#[from] std::io::Error),
}

impl NewKey {
    /// Reads a key from the fields of a request: `name`, `scopes`, `tenant`, `expires`. `subjects` are what the kinds of jobs have names
    /// for.
    ///
    /// # Errors
    /// Every fault, with its pointer.
    pub fn read(body: &serde_json::Value, subjects: &[&str]) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults::default();
        let Some(mut fields) = Fields::of(body, "", &mut faults) else {
            return Err(faults.into_inner());
        };
        let name = fields.text("name", MAX_NAME_BYTES, &mut faults).unwrap_or_default();
        if name.is_empty() && faults.count() == 0 {
            faults.add("/name", "is missing: a key needs a name, such as \"ci\"");
        }
        if !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        {
            faults.add("/name", "may have letters, digits, dots, hyphens and underscores");
        }
        let tenant = tenant(&mut fields, &mut faults);
        let life = match fields.text("expires", 16, &mut faults) {
            None => Life::Usual,
            Some(text) => life(text).unwrap_or_else(|detail| {
                faults.add("/expires", detail);
                Life::Usual
            }),
        };
        let scopes = Scopes::read(&mut fields, &mut faults);
        check(&scopes, subjects, &mut faults);
        fields.finish(&mut faults);
        faults.or(Self {
            name: name.to_owned(),
            scopes,
            tenant,
            life,
        })
    }
}

/// Checks that scopes are bound to what some kind of job knows, and are not too large: each request of the key's holder is compared with
/// all of them.
fn check(scopes: &Scopes, subjects: &[&str], faults: &mut Faults) {
    if scopes.0.iter().map(|scope| scope.to_string().len()).sum::<usize>() > MAX_SCOPES_BYTES {
        faults.add("/scopes", format!("may have at most {MAX_SCOPES_BYTES} bytes together"));
    }
    if scopes.0.len() > MAX_SCOPES {
        faults.add("/scopes", format!("may have at most {MAX_SCOPES} scopes"));
    }
    for (index, scope) in scopes.0.iter().enumerate() {
        if let Some(told) = scope.unknown_subject(subjects) {
            faults.add(format!("/scopes/{index}"), format!("is not a scope: {told}"));
        }
    }
}

/// Reads how long a key is accepted: `90d`, `12h`, or `never`.
///
/// # Errors
/// The text is none of these; says what would be right.
pub fn life(text: &str) -> Result<Life, String> {
    if text == "never" {
        return Ok(Life::Endless);
    }
    let life = span(text).filter(|life| (Duration::from_secs(60)..=MAX_LIFE).contains(life));
    life.map(Life::For)
        .ok_or_else(|| "must be a number of days or hours, such as 90d or 12h, at most 3650d, or never".to_owned())
}

/// Reads how long a secret that is replaced is still accepted: `24h`, `7d`, `0h`.
///
/// # Errors
/// The text is none of these; says what would be right.
pub fn overlap(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(DEFAULT_OVERLAP) };
    let overlap = span(text).filter(|overlap| *overlap <= MAX_OVERLAP);
    overlap.ok_or_else(|| "must be a number of hours or days, such as 24h or 7d, at most 30d, or 0h".to_owned())
}

fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number
        .parse()
        .ok()
        .filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    match unit {
        "d" => DAY.checked_mul(number),
        "h" => Duration::from_secs(3600).checked_mul(number),
        "m" => Duration::from_secs(60).checked_mul(number),
        _ => None,
    }
}

/// Makes a key; returns it with the text that its holder shows, which is not kept. Records and the audit log call the holder by the key's
/// name, so of two keys of a tenant that are in force, both cannot have it. Two that are made in the same moment may.
///
/// # Errors
/// The caller may not give so much, the name is taken, or the key could not be stored.
pub async fn create(
    store: &dyn KeyStore,
    clock: &dyn Clock,
    caller: &Caller,
    new: NewKey,
) -> Result<(ApiKey, Secret), KeyError> {
    let tenant = new.tenant.unwrap_or_else(|| caller.tenant.clone());
    if tenant != caller.tenant && !caller.is_operator() {
        return Err(KeyError::Forbidden(
            "Only the operator makes keys for other tenants: a caller of the tenant \"default\" with the scope admin."
                .to_owned(),
        ));
    }
    check_gives(caller, &new.scopes)?;
    let (presented, now) = (Presented::generate()?, clock.now());
    // whoever may do everything could make a key without end, and with that others
    let until = caller.until.filter(|_| !caller.scopes.are_admin());
    let expires_at = match new.life {
        Life::Usual => Some(until.map_or(now + DEFAULT_LIFE, |until| until.min(now + DEFAULT_LIFE))),
        Life::For(life) => Some(now + life),
        Life::Endless => None,
    };
    if let Some(until) = until
        && expires_at.is_none_or(|at| at > until)
    {
        return Err(KeyError::Forbidden(format!(
            "The caller is known until {until}, so the keys that it makes end then at the latest; say so in \"expires\"."
        )));
    }
    let key = ApiKey {
        tenant,
        name: new.name,
        scopes: new.scopes,
        expires_at,
        ..ApiKey::of(caller, &presented, now)
    };
    if let Some(id) = called(store, &key.tenant, &key.name, now).await? {
        let ApiKey { tenant, name, .. } = key;
        return Err(KeyError::NameTaken { id, tenant, name });
    }
    store.create(&key).await?;
    tracing::info!(key.id = %key.id, key.name = key.name, key.tenant = key.tenant.as_str(), by = caller.name, "an API key is made");
    Ok((key, presented.text()))
}

/// Returns the key of a tenant that has a name and is in force, if there is one.
async fn called(
    store: &dyn KeyStore,
    tenant: &Tenant,
    name: &str,
    now: Timestamp,
) -> Result<Option<KeyId>, StoreError> {
    let mut keys = all(store, tenant, KeyKind::Key).await?.into_iter();
    let called = keys.find(|key| key.name == name && key.is_in_force(now));
    Ok(called.map(|key| key.id))
}

/// Returns all keys or all sessions of a tenant, whatever has become of them.
///
/// # Errors
/// The store does not answer.
pub async fn all(store: &dyn KeyStore, tenant: &Tenant, kind: KeyKind) -> Result<Vec<ApiKey>, StoreError> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(tenant, kind, after.as_ref(), PAGE).await?;
        after = page.keys.last().map(|key| key.id.clone());
        keys.extend(page.keys);
        if !page.has_more {
            return Ok(keys);
        }
    }
}

/// Returns a key that the caller may see.
///
/// # Errors
/// There is none, or the store does not answer.
pub async fn get(store: &dyn KeyStore, caller: &Caller, id: &KeyId) -> Result<ApiKey, StoreError> {
    let key = store.get(id).await?;
    let is_seen = key.tenant == caller.tenant || caller.is_operator();
    is_seen.then_some(key).ok_or(StoreError::NotFound)
}

/// Makes another secret for a key; returns the text that its holder shows. The former secret is accepted for `overlap`.
///
/// # Errors
/// The caller may not give so much, the key is revoked (`Conflict`), or the store does not answer.
pub async fn rotate(
    store: &dyn KeyStore,
    clock: &dyn Clock,
    caller: &Caller,
    id: &KeyId,
    overlap: Duration,
) -> Result<(ApiKey, Secret), KeyError> {
    let key = get(store, caller, id).await?;
    check_takes(caller, &key)?;
    if key.kind() == KeyKind::Session {
        return Err(KeyError::Forbidden(format!(
            "{id} is a session, whose secret only its browser gets, once an hour; it can be revoked."
        )));
    }
    let presented = Presented::renewed(id.clone())?;
    let former = (!overlap.is_zero()).then(|| Former {
        hash: key.hash,
        until: clock.now() + overlap,
    });
    let key = store.rotate(id, None, presented.hash(), former).await?;
    tracing::info!(key.id = %key.id, key.name = key.name, by = caller.name, "an API key is rotated");
    Ok((key, presented.text()))
}

/// Revokes a key.
///
/// # Errors
/// There is none, or the store does not answer.
pub async fn revoke(store: &dyn KeyStore, clock: &dyn Clock, caller: &Caller, id: &KeyId) -> Result<ApiKey, KeyError> {
    check_takes(caller, &get(store, caller, id).await?)?;
    let now: Timestamp = clock.now();
    let key = store.revoke(id, now).await?;
    tracing::info!(key.id = %key.id, key.name = key.name, by = caller.name, "an API key is revoked");
    Ok(key)
}

/// Checks that the caller may have a key of somebody else at its disposal: whoever rotates it is its holder.
fn check_takes(caller: &Caller, key: &ApiKey) -> Result<(), KeyError> {
    if key.caller().subject == caller.subject || caller.scopes.include(&key.scopes) {
        return Ok(());
    }
    Err(KeyError::Forbidden(format!(
        "The key {} may do more than the caller, which cannot rotate or revoke it.",
        key.id
    )))
}

fn check_gives(caller: &Caller, scopes: &Scopes) -> Result<(), KeyError> {
    match caller.scopes.lacks(scopes) {
        None => Ok(()),
        Some(scope) => Err(KeyError::Forbidden(format!(
            "The caller may not give {scope}, since it does not have so much itself."
        ))),
    }
}
