//! Which entries a list of the audit log has.

use std::str::FromStr;

use super::deed::Deed;
use super::entry::{AuditOutcome, Entry};
use crate::base::time::Timestamp;

/// Which entries a list has: those that pass all of its parts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditFilter {
    /// Only these actions.
    pub action: Option<ActionFilter>,
    /// Only what a caller with this name or subject has done.
    pub by: Option<String>,
    /// Only this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Only what was done to this.
    pub object: Option<String>,
    /// Only what was written at this instant or later.
    pub since: Option<Timestamp>,
    /// Only what was written before this instant.
    pub until: Option<Timestamp>,
}

/// One action, or all of a sort: `job.cancel`, `job.*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActionFilter(String);

/// A text that is neither an action of the audit log nor a sort of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be an action, such as job.cancel, or all of a sort, such as key.*; docs/audit.md lists them")]
pub struct NotAnAction;

impl AuditFilter {
    /// Returns whether an entry passes.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        let by = |by: &String| entry.by.as_ref() == Some(by) || entry.subject.as_ref() == Some(by);
        self.action.as_ref().is_none_or(|action| action.takes(&entry.action))
            && self.by.as_ref().is_none_or(by)
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self
                .object
                .as_ref()
                .is_none_or(|object| entry.object.as_ref() == Some(object))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }

    /// Returns a text that no other filter has.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{self:?}")
    }
}

impl ActionFilter {
    /// Returns the text, as it was given; `*` stands for any action of the sort.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn takes(&self, action: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(sort) => action.starts_with(sort),
            None => action == self.0,
        }
    }
}

impl FromStr for ActionFilter {
    type Err = NotAnAction;

    fn from_str(text: &str) -> Result<Self, NotAnAction> {
        let known = Self(text.to_owned());
        let is_one = text.strip_suffix('*').is_none_or(|sort| sort.ends_with('.'));
        let is_known = is_one && Deed::ALL.iter().any(|deed| known.takes(deed.as_str()));
        is_known.then_some(known).ok_or(NotAnAction)
    }
}
