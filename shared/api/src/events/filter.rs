//! Which events a request wants.

use std::collections::BTreeSet;

use callboard_core::base::store_error::StoreError;
use callboard_core::request::{Kind, Kinds};
use utoipa::ToSchema;

use crate::links::Query;
use crate::params::Params;

/// One kind of event, or several with commas between them.
#[derive(ToSchema)]
#[schema(example = "runner_on_failed")]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) struct EventNames(String);

/// What an event must be; without anything set, any is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Filter {
    /// One of these kinds, unless there are none.
    names: BTreeSet<String>,
    /// Of this host.
    host: Option<String>,
    /// A failure that was neither rescued nor ignored.
    failed: bool,
}

impl Filter {
    /// Takes the parameters `event`, `host` and `failed`.
    pub(super) fn take(params: &mut Params, kinds: &Kinds) -> Self {
        let filter = Self {
            names: params.texts("event"),
            host: params.text("host"),
            failed: params.boolean("failed"),
        };
        let is_unknown = |name: &&String| !kinds.event_names().any(|known| known == name.as_str());
        let unknown = filter.names.iter().find(is_unknown);
        if let Some(name) = unknown.filter(|name| !name.is_empty()) {
            let known: Vec<&str> = kinds.event_names().collect();
            params.refuse("event", format!("{name:?} is none of {}", known.join(", ")));
        }
        if filter.host.as_deref() == Some("") {
            params.refuse("host", "must not be empty");
        }
        filter
    }

    /// Tells whether every event is wanted.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether an event is wanted, as it is stored.
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
