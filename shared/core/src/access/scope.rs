//! Scopes: which actions a caller may do, and what they are bound to.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::pattern::{NotAPattern, Pattern};
use super::uses::{Use, Uses};
use crate::base::fields::{Faults, FieldError};
use crate::base::sentence::some_of;

/// How many bounds a scope may have.
const MAX_BOUNDS: usize = 64;
/// The scope that includes every other.
const ADMIN: &str = "admin";
const OWN: &str = "own";
/// Between a name and its version, such as a branch.
const VERSION: char = '#';
/// How many things a request may use that a bound scope covers, and how many bytes their names may have together.
const MAX_USES: usize = 1000;
const MAX_NAMES_BYTES: usize = 64 * 1024;

/// A scope, such as `jobs:read`, `credentials:*`, `jobs:run[service=billing/*,credential=staging-*]` or `jobs:cancel[own]`. Which things
/// `jobs:run` can be bound to, the kinds of jobs say.
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
    named: Vec<Bound>,
}

/// A thing that a scope is bound to.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Bound {
    subject: String,
    name: Pattern,
    /// Of a thing with versions, which; none stands for the one that is taken where a request names none.
    version: Option<Pattern>,
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
    #[error("a scope is bound as in jobs:run[credential=staging-*]")]
    Brackets,
    /// It cannot be bound to that.
    #[error("{action} cannot be bound to {to:?}; {}", told_bounds(.action))]
    Unbound {
        /// The name before the brackets.
        action: String,
        /// What it is bound to.
        to: String,
    },
    /// It does not say what it is bound to.
    #[error("{action}[{subject}] lacks a value; write {action}[{subject}=VALUE]")]
    NoValue {
        /// The name before the brackets.
        action: String,
        /// What stands alone.
        subject: String,
    },
    /// A pattern is wrong.
    #[error("{0}")]
    Pattern(#[from] NotAPattern),
    /// There are too many bounds.
    #[error("a scope may have at most {MAX_BOUNDS} bounds")]
    TooMany,
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
        self.bounds.cover(Uses::CREDENTIAL, name, None)
    }

    /// Returns a sentence about a thing that it is bound to and that no kind of job has a name for. `known` are those of all kinds.
    #[must_use]
    pub fn unknown_subject(&self, known: &[&str]) -> Option<String> {
        let is_known = |subject: &&str| *subject == Uses::CREDENTIAL || known.contains(subject);
        let unknown = self.subjects().find(|subject| !is_known(subject))?;
        let known = known.join(", ");
        Some(format!(
            "nothing is called {unknown:?} to which a scope could be bound; known are credential, {known}"
        ))
    }

    /// Returns the things that it is bound to, in the words of the kinds of jobs.
    fn subjects(&self) -> impl Iterator<Item = &str> {
        self.bounds.named.iter().map(|bound| bound.subject.as_str())
    }

    /// Returns what of a request the scope does not cover; nothing, if everything that the request uses is what the scope is bound to. A
    /// request that uses nothing of a sort that the scope is bound to is not covered, except for credentials: it needs none. What the scope
    /// does not speak of is not restricted.
    #[must_use]
    pub fn uncovered(&self, uses: &Uses) -> Vec<FieldError> {
        let (subjects, mut faults): (BTreeSet<&str>, _) = (self.subjects().collect(), Faults::default());
        let names: usize = uses.0.iter().filter_map(|used| Some(used.name.as_ref()?.len())).sum();
        if !subjects.is_empty() && (uses.0.len() > MAX_USES || names > MAX_NAMES_BYTES) {
            faults.add(
                "",
                format!("uses more than is compared with a bound scope: {MAX_USES} things, or {MAX_NAMES_BYTES} bytes of names"),
            );
            return faults.into_inner();
        }
        for subject in &subjects {
            let counts =
                |used: &&Use| used.subject == *subject && used.unless.is_none_or(|other| !subjects.contains(other));
            let mut used = uses.0.iter().filter(counts).peekable();
            let allowed = LazyCell::new(|| self.bounds.told(subject));
            if used.peek().is_none() && *subject != Uses::CREDENTIAL {
                faults.add("", format!("names no {subject}; the scope allows {}", *allowed));
            }
            for Use {
                name, version, pointer, ..
            } in used
            {
                let detail = match name {
                    Some(name) if self.bounds.cover(subject, name, version.as_deref()) => continue,
                    Some(_) => "is not what the scope allows:",
                    None => "adds something of the request's own to what the scope allows:",
                };
                faults.add(pointer, format!("{detail} {}", *allowed));
            }
        }
        let mut faults = faults.into_inner();
        faults.dedup();
        faults
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
    /// Returns whether the scope is not bound to that subject, or to this name among others.
    fn cover(&self, subject: &str, name: &str, version: Option<&str>) -> bool {
        let mut bounds = self.named.iter().filter(|bound| bound.subject == subject).peekable();
        bounds.peek().is_none() || bounds.any(|bound| bound.covers(name, version))
    }

    /// Tells what of a subject the scope is bound to.
    fn told(&self, subject: &str) -> String {
        let bounds = self.named.iter().filter(|bound| bound.subject == subject);
        some_of(bounds.map(ToString::to_string))
    }
}

impl Bound {
    fn covers(&self, name: &str, version: Option<&str>) -> bool {
        let is_version = match (&self.version, version) {
            (None, None) => true,
            (Some(pattern), Some(version)) => pattern.matches(version),
            _ => false,
        };
        is_version && self.name.matches(name)
    }
}

/// What an action can be bound to.
enum Bindable {
    Nothing,
    Own,
    Credentials,
    /// What the kinds of jobs say.
    Uses,
}

fn bindable(name: &str) -> Bindable {
    match name {
        "jobs:run" => Bindable::Uses,
        "jobs:read" | "jobs:cancel" => Bindable::Own,
        "credentials:read" | "credentials:write" | "credentials:*" => Bindable::Credentials,
        _ => Bindable::Nothing,
    }
}

fn told_bounds(name: &str) -> &'static str {
    match bindable(name) {
        Bindable::Nothing => "it cannot be bound",
        Bindable::Own => "it can be bound to own",
        Bindable::Credentials => "it can be bound to credential=…",
        Bindable::Uses => "it can be bound to what a job uses, such as credential=…",
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
        for bound in bounds.into_iter().flat_map(|bounds| bounds.split(',')) {
            let unbound = || NotAScope::Unbound {
                action: name.to_owned(),
                to: bound.chars().take(80).collect(),
            };
            if bound == OWN && matches!(bindable(name), Bindable::Own) {
                scope.bounds.own = true;
                continue;
            }
            let (subject, pattern) = bound
                .split_once('=')
                .map_or((bound, None), |(subject, pattern)| (subject, Some(pattern)));
            let fits = match bindable(name) {
                Bindable::Nothing | Bindable::Own => false,
                Bindable::Credentials => subject == Uses::CREDENTIAL,
                Bindable::Uses => {
                    !subject.is_empty() && subject != OWN && subject.bytes().all(|byte| byte.is_ascii_lowercase())
                }
            };
            if !fits {
                return Err(unbound());
            }
            let pattern = pattern.ok_or_else(|| NotAScope::NoValue {
                action: name.to_owned(),
                subject: subject.chars().take(80).collect(),
            })?;
            let (name, version) = match pattern.rsplit_once(VERSION) {
                Some((name, version)) if subject != Uses::CREDENTIAL => (name, Some(version.parse()?)),
                _ => (pattern, None),
            };
            scope.bounds.named.push(Bound {
                subject: subject.to_owned(),
                name: name.parse()?,
                version,
            });
            if scope.bounds.named.len() > MAX_BOUNDS {
                return Err(NotAScope::TooMany);
            }
        }
        Ok(scope)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.subject, self.name)?;
        match &self.version {
            Some(version) => write!(f, "{VERSION}{version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        let own = self.bounds.own.then(|| OWN.to_owned());
        let named = self.bounds.named.iter().map(ToString::to_string);
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
            "jobs:run[thing=a.yml,place=staging,credential=staging-*]",
            "jobs:run[thing=billing/*,thing=mail/send]",
            "jobs:run[thing=repo//a.yml#main]",
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
            ("jobs:run[thing=a]x", "is bound as in"),
            ("jobs:run[]", "cannot be bound to"),
            ("jobs:run[own]", "credential=…"),
            ("jobs:run[thing]", "write jobs:run[thing=VALUE]"),
            (
                "credentials:read[credential]",
                "write credentials:read[credential=VALUE]",
            ),
            ("jobs:read[thing=a]", "it can be bound to own"),
            ("jobs:*[own]", "it cannot be bound"),
            ("admin[own]", "it cannot be bound"),
            ("jobs:run[Thing=a]", "cannot be bound to"),
            ("jobs:run[thing=]", "must not be empty"),
        ] {
            let error = text.parse::<Scope>().err().map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|error| error.contains(told)),
                "{text}: {error:?}"
            );
        }
    }

    fn uses(things: &[(&'static str, Option<&str>)]) -> Uses {
        let mut uses = Uses::default();
        for (subject, name) in things {
            uses.add(subject, name.map(str::to_owned), format!("/{subject}"));
        }
        uses
    }

    fn covers(scope: &Scope, uses: &Uses) -> bool {
        scope.uncovered(uses).is_empty()
    }

    #[test]
    fn a_bound_scope_covers_what_it_names_and_nothing_else() -> Result<(), NotAScope> {
        let scope: Scope = "jobs:run[thing=deploy,place=staging,credential=staging-*]".parse()?;
        let (deploy, staging) = (("thing", Some("deploy")), ("place", Some("staging")));
        assert!(covers(
            &scope,
            &uses(&[deploy, staging, ("credential", Some("staging-ssh"))])
        ));
        assert!(covers(&scope, &uses(&[deploy, staging])));
        for refused in [
            uses(&[]),
            uses(&[deploy]),
            uses(&[("thing", None), staging]),
            uses(&[("thing", Some("other")), staging]),
            uses(&[("other", Some("deploy")), staging]),
            uses(&[deploy, ("thing", Some("other")), staging]),
            uses(&[deploy, ("place", None)]),
            uses(&[deploy, staging, ("place", Some("production"))]),
            uses(&[deploy, staging, ("place", None)]),
            uses(&[
                deploy,
                staging,
                ("credential", Some("staging-ssh")),
                ("credential", Some("production-ssh")),
            ]),
        ] {
            assert!(!covers(&scope, &refused), "{refused:?}");
        }
        let version = |name: &str, version: Option<&str>| {
            Uses(vec![Use {
                subject: "thing",
                name: Some(name.to_owned()),
                version: version.map(str::to_owned),
                ..Use::default()
            }])
        };
        let (plain, main): (Scope, Scope) = ("jobs:run[thing=r//*]".parse()?, "jobs:run[thing=r//*#main]".parse()?);
        assert!(covers(&plain, &version("r//a", None)) && covers(&main, &version("r//a", Some("main"))));
        for (name, given) in [("r//a", Some("evil")), ("r//a", Some("main"))] {
            assert!(!covers(&plain, &version(name, given)), "{name} {given:?}");
        }
        for (name, given) in [
            ("r//a", None),
            ("r//a#main", None),
            ("r//a", Some("evil")),
            ("r//a", Some("evil#main")),
        ] {
            assert!(!covers(&main, &version(name, given)), "{name} {given:?}");
        }
        let mut with_hosts = uses(&[deploy, ("thing", None)]);
        with_hosts.0[1].unless = Some("place");
        let (thing, both): (Scope, Scope) = ("jobs:run[thing=*]".parse()?, "jobs:run[thing=*,place=*]".parse()?);
        assert!(!covers(&thing, &with_hosts));
        with_hosts.add("place", Some("staging".to_owned()), "/place");
        assert!(covers(&both, &with_hosts) && !covers(&thing, &with_hosts));
        let all: Scope = "jobs:run".parse()?;
        assert!(covers(&all, &uses(&[("thing", None), ("credential", Some("any"))])));
        for scope in [&scope, &all] {
            assert_eq!(scope.unknown_subject(&["thing", "place"]), None);
        }
        let unknown = scope.unknown_subject(&["thing"]);
        assert!(unknown.is_some_and(|told| told.contains("place")));
        Ok(())
    }

    #[test]
    fn what_is_not_covered_is_told_with_its_place_and_what_would_be() -> Result<(), NotAScope> {
        let scope: Scope = "jobs:run[thing=deploy,thing=r//*#main,place=staging]".parse()?;
        let told = scope.uncovered(&uses(&[
            ("thing", Some("other")),
            ("thing", None),
            ("thing", Some("deploy")),
        ]));
        let told: Vec<(&str, &str)> = told.iter().map(|told| (&*told.pointer, &*told.detail)).collect();
        assert_eq!(
            told,
            [
                ("", "names no place; the scope allows place=staging"),
                (
                    "/thing",
                    "is not what the scope allows: thing=deploy or thing=r//*#main"
                ),
                (
                    "/thing",
                    "adds something of the request's own to what the scope allows: thing=deploy or thing=r//*#main"
                ),
            ]
        );
        Ok(())
    }

    #[test]
    fn nobody_gives_more_than_they_have() -> Result<(), NotAScope> {
        for (own, other, may) in [
            ("admin", "admin", true),
            ("admin", "jobs:run", true),
            ("jobs:*", "jobs:run[thing=a]", true),
            ("jobs:*", "admin", false),
            ("jobs:run", "jobs:*", false),
            ("jobs:run", "jobs:run[thing=a]", true),
            ("jobs:run[thing=a]", "jobs:run[thing=a]", true),
            ("jobs:run[thing=a]", "jobs:run[thing=*]", false),
            ("jobs:run[thing=a]", "jobs:run", false),
            ("jobs:read[own]", "jobs:read", false),
            ("credentials:*", "keys:read", false),
        ] {
            let (own, other): (Scope, Scope) = (own.parse()?, other.parse()?);
            assert_eq!(own.contains(&other), may, "{own} {other}");
        }
        Ok(())
    }
}
