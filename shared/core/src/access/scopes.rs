//! The scopes of a caller.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::Action;
use super::scope::Scope;
use crate::base::fields::{Faults, Fields, kind};

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

    /// Reads the field `scopes`: a list of at least one. Adds every fault with its pointer.
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let pointer = fields.pointer("scopes");
        let items = match fields.get("scopes") {
            Some(Value::Array(items)) if !items.is_empty() => items,
            None => {
                faults.add(
                    pointer,
                    "is missing; it lists what the caller may do, as in [jobs:run, \"jobs:read[own]\"]",
                );
                return Self::default();
            }
            Some(_) => {
                faults.add(
                    pointer,
                    "must be a list of at least one scope, as in [jobs:run, \"jobs:read[own]\"]",
                );
                return Self::default();
            }
        };
        let numbered = items.iter().enumerate();
        let scopes = numbered.filter_map(|(index, item)| {
            let scope = match item {
                Value::String(text) => text.parse::<Scope>().map_err(|error| error.to_string()),
                other => Err(format!("must be a string, not {}", kind(other))),
            };
            scope
                .map_err(|detail| faults.add(format!("{pointer}/{index}"), detail))
                .ok()
        });
        Self(scopes.collect())
    }

    /// Returns the scopes that include an action.
    pub fn of(&self, action: Action) -> impl Iterator<Item = &Scope> {
        self.0.iter().filter(move |scope| scope.includes(action))
    }

    /// Returns whether whoever has these scopes may take over the others from somebody else, whose own jobs are not the same.
    #[must_use]
    pub fn include(&self, others: &Self) -> bool {
        let wider = |other| self.0.iter().any(|own| own.contains(other) && !own.is_for_own());
        others.0.iter().all(wider)
    }

    /// Returns whether one of these scopes includes everything.
    #[must_use]
    pub fn are_admin(&self) -> bool {
        self.0.iter().any(Scope::is_admin)
    }

    /// Returns the first of other scopes that whoever has these may not give, if there is one.
    #[must_use]
    pub fn lacks<'a>(&self, others: &'a Self) -> Option<&'a Scope> {
        let mut others = others.0.iter();
        others.find(|other| !self.0.iter().any(|own| own.contains(other)))
    }
}
