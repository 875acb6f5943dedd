//! Scopes: which actions a caller may do, and what they are bound to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::pattern::{NotAPattern, Pattern};
use super::uses::{Uses, What};

/// How many bounds a scope may have.
const MAX_BOUNDS: usize = 64;
/// The scope that includes every other.
const ADMIN: &str = "admin";
const OWN: &str = "own";

/// A scope, such as `jobs:read`, `credentials:*`, `jobs:run[playbook=deploy.yml,inventory=staging,credential=staging-*]` or
/// `jobs:cancel[own]`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    actions: Actions,
    bounds: Bounds,
}

/// Which actions a scope includes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Actions {
    All,
    Domain(&'static str),
    One(Action),
}

/// What a scope is bound to; nothing, if there are neither.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Bounds {
    own: bool,
    named: Vec<(Subject, Pattern)>,
}

/// What a scope can be bound to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// A playbook.
    Playbook,
    /// A role.
    Role,
    /// An operation of a service.
    Service,
    /// A repository.
    Source,
    /// An inventory.
    Inventory,
    /// A credential.
    Credential,
}

/// Why a text is no scope.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAScope {
    /// There is no such action.
    #[error("{name:?} is not a scope; there are {}", known())]
    Unknown {
        /// What is in its place.
        name: String,
    },
    /// Something is wrong with the brackets.
    #[error("a scope is bound as in jobs:run[playbook=deploy.yml]")]
    Brackets,
    /// It cannot be bound to that.
    #[error("{action} cannot be bound to {to:?}; {}", told_bounds(.action))]
    Unbound {
        /// The name before the brackets.
        action: String,
        /// What it is bound to.
        to: String,
    },
    /// A pattern is wrong.
    #[error("{0}")]
    Pattern(#[from] NotAPattern),
    /// There are too many bounds.
    #[error("a scope may have at most {MAX_BOUNDS} bounds")]
    TooMany,
}

impl Subject {
    const ALL: [Self; 6] = [
        Self::Playbook,
        Self::Role,
        Self::Service,
        Self::Source,
        Self::Inventory,
        Self::Credential,
    ];

    /// Returns its name in scopes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Playbook => "playbook",
            Self::Role => "role",
            Self::Service => "service",
            Self::Source => "source",
            Self::Inventory => "inventory",
            Self::Credential => "credential",
        }
    }

    fn is_what_is_run(self) -> bool {
        matches!(self, Self::Playbook | Self::Role | Self::Service)
    }
}

impl Scope {
    /// Returns the scope that includes everything.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            actions: Actions::All,
            bounds: Bounds::default(),
        }
    }

    /// Returns whether the scope includes an action, at least for some things.
    #[must_use]
    pub fn includes(&self, action: Action) -> bool {
        match self.actions {
            Actions::All => true,
            Actions::Domain(domain) => action.domain() == domain,
            Actions::One(one) => one == action,
        }
    }

    /// Returns whether it holds for everything.
    #[must_use]
    pub fn is_unbound(&self) -> bool {
        self.bounds == Bounds::default()
    }

    /// Returns whether it includes everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.actions == Actions::All
    }

    /// Returns whether it is for the caller's own jobs only.
    #[must_use]
    pub fn is_for_own(&self) -> bool {
        self.bounds.own
    }

    /// Returns whether a credential is one of those that it is bound to.
    #[must_use]
    pub fn covers_credential(&self, name: &str) -> bool {
        self.bounds.covers(Subject::Credential, name)
    }

    /// Returns whether everything that a request uses is what the scope is bound to. What runs, where it comes from and which hosts it
    /// runs on must have names, where the scope is bound to names; what it does not speak of is not restricted.
    #[must_use]
    pub fn covers(&self, uses: &Uses) -> bool {
        let bounds = &self.bounds;
        bounds.covers_what(&uses.what)
            && bounds.cover_all(Subject::Source, uses.sources.iter().map(|name| Some(name.as_str())))
            && bounds.cover_all(Subject::Inventory, uses.inventories.iter().map(Option::as_deref))
            && uses
                .credentials
                .iter()
                .all(|name| bounds.covers(Subject::Credential, name))
    }

    /// Returns whether whoever has this scope may give the other one: it grants no more.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let wider = match (self.actions, other.actions) {
            (Actions::All, _) => true,
            (_, Actions::All) => false,
            (Actions::Domain(own), Actions::Domain(other)) => own == other,
            (Actions::Domain(own), Actions::One(other)) => own == other.domain(),
            (Actions::One(_), Actions::Domain(_)) => false,
            (Actions::One(own), Actions::One(other)) => own == other,
        };
        wider && (self.is_unbound() || self.bounds == other.bounds)
    }

    fn name(&self) -> String {
        match self.actions {
            Actions::All => ADMIN.to_owned(),
            Actions::Domain(domain) => format!("{domain}:*"),
            Actions::One(action) => action.to_string(),
        }
    }
}

impl Bounds {
    fn of(&self, subject: Subject) -> impl Iterator<Item = &Pattern> {
        self.named
            .iter()
            .filter(move |(bound, _)| *bound == subject)
            .map(|(_, pattern)| pattern)
    }

    /// Returns whether the scope is not bound to that subject, or to this name among others.
    fn covers(&self, subject: Subject, name: &str) -> bool {
        let mut patterns = self.of(subject).peekable();
        patterns.peek().is_none() || patterns.any(|pattern| pattern.matches(name))
    }

    fn cover_all<'a>(&self, subject: Subject, names: impl Iterator<Item = Option<&'a str>>) -> bool {
        if self.of(subject).next().is_none() {
            return true;
        }
        let mut names = names.peekable();
        names.peek().is_some() && names.all(|name| name.is_some_and(|name| self.covers(subject, name)))
    }

    fn covers_what(&self, what: &What) -> bool {
        if !self.named.iter().any(|(subject, _)| subject.is_what_is_run()) {
            return true;
        }
        let (subject, name) = match what {
            What::Playbook(name) => (Subject::Playbook, name),
            What::Role(name) => (Subject::Role, name),
            What::Service(name) => (Subject::Service, name),
            What::Unnamed => return false,
        };
        self.of(subject).any(|pattern| pattern.matches(name))
    }
}

/// Returns what an action can be bound to.
fn bounds_of(name: &str) -> (bool, &'static [Subject]) {
    match name {
        "jobs:run" => (false, &Subject::ALL),
        "jobs:read" | "jobs:cancel" => (true, &[]),
        "credentials:read" | "credentials:write" | "credentials:*" => (false, &[Subject::Credential]),
        _ => (false, &[]),
    }
}

fn told_bounds(name: &str) -> String {
    let (own, subjects) = bounds_of(name);
    let mut names: Vec<String> = subjects
        .iter()
        .map(|subject| format!("{}=…", subject.as_str()))
        .collect();
    names.extend(own.then(|| OWN.to_owned()));
    match names.is_empty() {
        true => "it cannot be bound".to_owned(),
        false => format!("it can be bound to {}", names.join(", ")),
    }
}

fn known() -> String {
    let mut names: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    names.push(ADMIN);
    format!("{}, and one such as credentials:* for all of a kind", names.join(", "))
}

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let (name, bounds) = match text.split_once('[') {
            None => (text, None),
            Some((name, rest)) => (name, Some(rest.strip_suffix(']').ok_or(NotAScope::Brackets)?)),
        };
        let unknown = || NotAScope::Unknown {
            name: name.chars().take(80).collect(),
        };
        let actions = match name.strip_suffix(":*") {
            _ if name == ADMIN => Actions::All,
            Some(domain) => {
                let known = Action::ALL.iter().find(|action| action.domain() == domain);
                Actions::Domain(known.ok_or_else(unknown)?.domain())
            }
            None => {
                let known = Action::ALL.iter().find(|action| action.as_str() == name);
                Actions::One(*known.ok_or_else(unknown)?)
            }
        };
        let mut scope = Self {
            actions,
            bounds: Bounds::default(),
        };
        let (own, subjects) = bounds_of(name);
        for bound in bounds.into_iter().flat_map(|bounds| bounds.split(',')) {
            let unbound = || NotAScope::Unbound {
                action: name.to_owned(),
                to: bound.chars().take(80).collect(),
            };
            if bound == OWN && own {
                scope.bounds.own = true;
                continue;
            }
            let (subject, pattern) = bound.split_once('=').ok_or_else(unbound)?;
            let subject = subjects
                .iter()
                .find(|known| known.as_str() == subject)
                .ok_or_else(unbound)?;
            scope.bounds.named.push((*subject, pattern.parse::<Pattern>()?));
            if scope.bounds.named.len() > MAX_BOUNDS {
                return Err(NotAScope::TooMany);
            }
        }
        Ok(scope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        let own = self.bounds.own.then(|| OWN.to_owned());
        let named = self
            .bounds
            .named
            .iter()
            .map(|(subject, pattern)| format!("{}={pattern}", subject.as_str()));
        let bounds: Vec<String> = own.into_iter().chain(named).collect();
        match bounds.is_empty() {
            true => Ok(()),
            false => write!(f, "[{}]", bounds.join(",")),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = NotAScope;

    fn try_from(text: String) -> Result<Self, NotAScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// The scopes of a caller: it may do what any of them grants.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Scopes(pub Vec<Scope>);

impl Scopes {
    /// Returns scopes that include everything.
    #[must_use]
    pub fn admin() -> Self {
        Self(vec![Scope::admin()])
    }

    /// Returns the scopes that include an action.
    pub fn of(&self, action: Action) -> impl Iterator<Item = &Scope> {
        self.0.iter().filter(move |scope| scope.includes(action))
    }

    /// Returns whether whoever has these scopes may give the others.
    #[must_use]
    pub fn contain(&self, others: &Self) -> bool {
        others
            .0
            .iter()
            .all(|other| self.0.iter().any(|own| own.contains(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_as_it_was_written() -> Result<(), NotAScope> {
        for text in [
            "admin",
            "jobs:read",
            "jobs:read[own]",
            "jobs:*",
            "credentials:*[credential=staging-*]",
            "jobs:run[playbook=deploy.yml,inventory=staging,credential=staging-*]",
            "jobs:run[service=billing/*,service=mail/send]",
        ] {
            assert_eq!(text.parse::<Scope>()?.to_string(), text);
        }
        Ok(())
    }

    #[test]
    fn what_is_no_scope_is_refused_with_what_would_be_one() {
        for (text, told) in [
            ("jobs", "there are jobs:read"),
            ("jobs:delete", "there are jobs:read"),
            ("nothing:*", "is not a scope"),
            ("", "is not a scope"),
            ("jobs:run[", "is bound as in"),
            ("jobs:run[playbook=a]x", "is bound as in"),
            ("jobs:run[]", "cannot be bound to"),
            ("jobs:run[own]", "playbook=…"),
            ("jobs:read[playbook=a]", "it can be bound to own"),
            ("jobs:*[own]", "it cannot be bound"),
            ("admin[own]", "it cannot be bound"),
            ("jobs:run[playbook=]", "must not be empty"),
        ] {
            let error = text.parse::<Scope>().err().map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|error| error.contains(told)),
                "{text}: {error:?}"
            );
        }
    }

    fn uses(what: What, inventories: &[Option<&str>], credentials: &[&str]) -> Uses {
        Uses {
            what,
            sources: Vec::new(),
            inventories: inventories.iter().map(|name| name.map(str::to_owned)).collect(),
            credentials: credentials.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn a_bound_scope_covers_what_it_names_and_nothing_else() -> Result<(), NotAScope> {
        let scope: Scope = "jobs:run[playbook=deploy.yml,inventory=staging,credential=staging-*]".parse()?;
        let deploy = || What::Playbook("deploy.yml".to_owned());
        assert!(scope.covers(&uses(deploy(), &[Some("staging")], &["staging-ssh"])));
        assert!(scope.covers(&uses(deploy(), &[Some("staging")], &[])));
        for refused in [
            uses(What::Unnamed, &[Some("staging")], &[]),
            uses(What::Playbook("other.yml".to_owned()), &[Some("staging")], &[]),
            uses(What::Role("deploy.yml".to_owned()), &[Some("staging")], &[]),
            uses(What::Service("deploy.yml".to_owned()), &[Some("staging")], &[]),
            uses(deploy(), &[], &[]),
            uses(deploy(), &[None], &[]),
            uses(deploy(), &[Some("staging"), Some("production")], &[]),
            uses(deploy(), &[Some("staging"), None], &[]),
            uses(deploy(), &[Some("staging")], &["staging-ssh", "production-ssh"]),
        ] {
            assert!(!scope.covers(&refused), "{refused:?}");
        }
        let all: Scope = "jobs:run".parse()?;
        assert!(all.covers(&uses(What::Unnamed, &[None], &["any"])));
        let from: Scope = "jobs:run[source=https://github.com/acme/*]".parse()?;
        assert!(!from.covers(&uses(deploy(), &[], &[])), "it comes from no repository");
        Ok(())
    }

    #[test]
    fn nobody_gives_more_than_they_have() -> Result<(), NotAScope> {
        for (own, other, may) in [
            ("admin", "admin", true),
            ("admin", "jobs:run", true),
            ("jobs:*", "jobs:run[playbook=a]", true),
            ("jobs:*", "admin", false),
            ("jobs:run", "jobs:*", false),
            ("jobs:run", "jobs:run[playbook=a]", true),
            ("jobs:run[playbook=a]", "jobs:run[playbook=a]", true),
            ("jobs:run[playbook=a]", "jobs:run[playbook=*]", false),
            ("jobs:run[playbook=a]", "jobs:run", false),
            ("jobs:read[own]", "jobs:read", false),
            ("credentials:*", "keys:read", false),
        ] {
            let (own, other): (Scope, Scope) = (own.parse()?, other.parse()?);
            assert_eq!(own.contains(&other), may, "{own} {other}");
        }
        Ok(())
    }
}
