//! API keys.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::presented::{KeyId, Presented, SecretHash};
use super::scopes::Scopes;
use super::session::Session;
use crate::base::id::Tenant;
use crate::base::time::Timestamp;

/// How often the use of a key is noted at most.
const USE_PERIOD: Duration = Duration::from_secs(600);

/// A secret that was replaced, for as long as it is accepted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Former {
    /// What is kept of it.
    pub hash: SecretHash,
    /// Until when it is accepted.
    pub until: Timestamp,
}

/// A key, without its secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ApiKey {
    /// Its public part.
    pub id: KeyId,
    /// Whose key it is.
    pub tenant: Tenant,
    /// What it is called.
    pub name: String,
    /// What its holder may do.
    pub scopes: Scopes,
    /// What is kept of its secret.
    pub hash: SecretHash,
    /// The secret before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Former>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Until when it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Whose session it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyKind {
    /// Whoever has it shows it.
    Key,
    /// A browser shows it, as a cookie.
    Session,
}

impl KeyKind {
    /// Returns its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Session => "session",
        }
    }
}

impl ApiKey {
    /// Makes a key of a caller, with its tenant, name and scopes, and without end.
    pub(super) fn of(caller: &Caller, presented: &Presented, now: Timestamp) -> Self {
        Self {
            id: presented.id.clone(),
            tenant: caller.tenant.clone(),
            name: caller.name.clone(),
            scopes: caller.scopes.clone(),
            hash: presented.hash(),
            former: None,
            created_at: now,
            created_by: caller.name.clone(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            session: None,
        }
    }

    /// Returns whether a secret is this key's, or was until its time is over. It takes as long whichever it is.
    #[must_use]
    pub fn has(&self, presented: &SecretHash, now: Timestamp) -> bool {
        let former = self.former.as_ref();
        let is_former = former.is_some_and(|former| former.hash.is(presented) & (former.until > now));
        self.hash.is(presented) | is_former
    }

    /// Returns whether it is accepted at a time.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    /// Returns whether its use is to be noted.
    #[must_use]
    pub fn is_use_due(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| at + USE_PERIOD <= now)
    }

    /// Returns what it is for.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match self.session {
            None => KeyKind::Key,
            Some(_) => KeyKind::Session,
        }
    }

    /// Returns how long it is still accepted.
    #[must_use]
    pub fn life(&self, now: Timestamp) -> Duration {
        self.expires_at.unwrap_or(Timestamp::NEVER).since(now)
    }

    /// Returns its CSRF token, if it is a session.
    #[must_use]
    pub fn csrf_token(&self) -> Option<String> {
        self.session.as_ref().map(Session::csrf_token)
    }

    /// Returns whether this is its CSRF token, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is_csrf_token(&self, shown: &[u8]) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.is_csrf_token(shown))
    }

    /// Returns when it is over for good, if it is a session: nobody asks for that afterwards.
    #[must_use]
    pub fn session_until(&self) -> Option<Timestamp> {
        let end = self.expires_at.unwrap_or(Timestamp::NEVER);
        self.session.as_ref().map(|_| end)
    }

    /// Returns who shows it.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let (name, subject) = match &self.session {
            None => (format!("key:{}", self.name), format!("key:{}", self.id)),
            Some(session) => (self.name.clone(), session.subject.clone()),
        };
        Caller {
            tenant: self.tenant.clone(),
            name,
            subject,
            scopes: self.scopes.clone(),
            until: self.expires_at,
            logs_in: false,
        }
    }
}
