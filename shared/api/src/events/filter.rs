//! Selects the events that a request wants.

use std::collections::BTreeSet;

use callboard_core::base::store_error::StoreError;
use callboard_core::request::{Kind, Kinds};
use utoipa::ToSchema;

use crate::links::Query;
use crate::params::Params;

/// One kind of event, or several separated by commas.
#[derive(ToSchema)]
#[schema(example = "runner_on_failed")]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) struct EventNames(String);

/// The conditions that an event must meet; without any, every event matches.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Filter {
    /// Its kind is one of these, unless the set is empty.
    names: BTreeSet<String>,
    /// It is about this host.
    host: Option<String>,
    /// It is a failure that was neither rescued nor ignored.
    failed: bool,
}

impl Filter {
    /// Takes the parameters `event`, `host` and `failed`.
    pub(super) fn take(params: &mut Params, kinds: &Kinds) -> Self {
        let filter = Self {
            names: params.texts("event"),
            host: params.name("host"),
            failed: params.boolean("failed"),
        };
        let is_unknown = |name: &&String| !kinds.event_names().any(|known| known == name.as_str());
        let unknown = filter.names.iter().find(is_unknown);
        if let Some(name) = unknown.filter(|name| !name.is_empty()) {
            let known: Vec<&str> = kinds.event_names().collect();
            params.refuse("event", format!("{name:?} is none of {}", known.join(", ")));
        }
        filter
    }

    /// Returns whether every event matches.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether an event matches, given its stored line.
    pub(super) fn wants(&self, kind: &dyn Kind, line: &[u8]) -> Result<bool, StoreError> {
        if self.is_empty() {
            return Ok(true);
        }
        let event = kind.event(line).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        Ok((self.names.is_empty() || self.names.contains(&event.name))
            && self.host.as_ref().is_none_or(|host| event.host.as_ref() == Some(host))
            && (!self.failed || event.failed))
    }

    /// Adds the parameters to a query.
    pub(super) fn write(&self, query: Query) -> Query {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let names = Some(names.join(",")).filter(|names| !names.is_empty());
        let query = query.with_some("event", names).with_some("host", self.host.as_ref());
        query.with_some("failed", self.failed.then_some(true))
    }
}
