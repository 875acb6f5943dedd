//! Who asks.

use super::action::Action;
use super::scope::Scope;
use super::scopes::Scopes;
use super::uses::Uses;
use crate::base::fields::FieldError;
use crate::base::id::Tenant;
use crate::base::sentence::some_of;
use crate::base::time::Timestamp;

/// Who asks, however that was found out: by a key, a token, an identity of AWS, or because nobody else can.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// Whose things it may see.
    pub tenant: Tenant,
    /// The caller's name, as records and the audit log have it: `key:ci`, `oidc:repo:acme/web`, an ARN.
    pub name: String,
    /// What stands for the caller for as long as it is the same one, such as `key:ID`. Names may be given again.
    pub subject: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Until when it is known: its key's end, or its token's; `None` if there is none.
    pub until: Option<Timestamp>,
    /// Whether a session that it begins may last longer than that.
    pub logs_in: bool,
}

/// What a caller lacks.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Missing {
    /// The scope that would do.
    pub action: Action,
    /// What may not be done, in a sentence.
    pub detail: String,
    /// What of the request it is, where another request would be allowed.
    pub faults: Vec<FieldError>,
}

impl Missing {
    /// Says in a sentence what may not be done.
    #[must_use]
    pub fn new(action: Action, detail: String) -> Self {
        Self {
            action,
            detail,
            faults: Vec::new(),
        }
    }
}

impl Caller {
    /// Returns the caller of a service that nobody else can reach.
    #[must_use]
    pub fn everybody(name: String) -> Self {
        Self {
            tenant: Tenant::default(),
            subject: name.clone(),
            name,
            scopes: Scopes::admin(),
            until: None,
            logs_in: false,
        }
    }

    /// Returns whether the caller is the operator of all tenants: it has every scope of the tenant that is there from the beginning.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.tenant == Tenant::default() && self.scopes.are_admin()
    }

    /// Checks that the caller may do something, at least with some things.
    ///
    /// # Errors
    /// None of its scopes includes it.
    pub fn may(&self, action: Action) -> Result<(), Missing> {
        let may = self.scopes.of(action).next().is_some();
        may.then_some(()).ok_or_else(|| missing(action))
    }

    /// Checks that the caller may do something with everything.
    ///
    /// # Errors
    /// None of its scopes includes it without being bound to something.
    pub fn may_always(&self, action: Action) -> Result<(), Missing> {
        let may = self.scopes.of(action).any(Scope::is_unbound);
        may.then_some(()).ok_or_else(|| missing(action))
    }

    /// Checks that the caller may run what uses all that.
    ///
    /// # Errors
    /// None of its scopes covers all of it.
    pub fn may_run(&self, uses: &Uses) -> Result<(), Missing> {
        let scopes = || self.scopes.of(Action::JobsRun);
        // of several scopes, the one that covers most is likely to be meant
        let mut nearest: Option<Vec<FieldError>> = None;
        for scope in scopes() {
            let faults = scope.uncovered(uses);
            if faults.is_empty() {
                return Ok(());
            }
            if nearest.as_ref().is_none_or(|fewest| faults.len() < fewest.len()) {
                nearest = Some(faults);
            }
        }
        let faults = nearest.ok_or_else(|| missing(Action::JobsRun))?;
        let first = faults.first().map(FieldError::told).unwrap_or_default();
        let bound = some_of(scopes().map(ToString::to_string));
        let detail = format!("The caller may run only what {bound} covers, and this request is not covered: {first}.");
        Err(Missing {
            faults,
            ..Missing::new(Action::JobsRun, detail)
        })
    }

    /// Returns whether the caller may do something with a job that `subject` has submitted.
    #[must_use]
    pub fn may_with_job_of(&self, action: Action, subject: Option<&str>) -> bool {
        let is_own = subject.is_some_and(|subject| subject == self.subject);
        self.scopes.of(action).any(|scope| !scope.is_for_own() || is_own)
    }

    /// Returns whether the caller may do something only with its own jobs.
    #[must_use]
    pub fn is_held_to_own(&self, action: Action) -> bool {
        self.scopes.of(action).all(Scope::is_for_own)
    }

    /// Checks that the caller may do something with a credential.
    ///
    /// # Errors
    /// None of its scopes covers that.
    pub fn may_with_credential(&self, action: Action, name: &str) -> Result<(), Missing> {
        let may = self.scopes.of(action).any(|scope| scope.covers_credential(name));
        may.then_some(()).ok_or_else(|| missing(action))
    }
}

fn missing(action: Action) -> Missing {
    Missing::new(action, format!("The caller lacks the scope {action}."))
}
