//! What a claim must be.

use serde_json::Value;

use super::MAX_LINE_BYTES;
use crate::access::pattern::Pattern;
use crate::base::fields::{Faults, Fields, kind};
use crate::base::json::escape;

/// What a claim must be. Numbers and booleans are compared as they are written in JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Exactly this text.
    Exact(String),
    /// A text that a pattern stands for.
    Like(Pattern),
}

impl Wanted {
    /// Reads a value; one with a star is a pattern.
    fn read(value: &Value) -> Result<Self, String> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            other => return Err(format!("must be a string, a number or a boolean, not {}", kind(other))),
        };
        match text {
            empty if empty.is_empty() => Err("must not be empty".to_owned()),
            long if long.len() > MAX_LINE_BYTES => Err(format!("must have at most {MAX_LINE_BYTES} bytes")),
            pattern if pattern.contains('*') => pattern.parse().map(Self::Like).map_err(|error| error.to_string()),
            exact => Ok(Self::Exact(exact)),
        }
    }

    /// Returns whether a claim has the value, or is a list of which a member has it.
    pub(super) fn is_in(&self, claim: &Value) -> bool {
        match claim {
            Value::Array(members) => members.iter().any(|member| self.is(member)),
            one => self.is(one),
        }
    }

    /// Returns the text that every value begins with, and whether it is the whole value.
    pub(super) fn beginning(&self) -> (&str, bool) {
        match self {
            Self::Exact(text) => (text, true),
            Self::Like(pattern) => (pattern.as_str().split('*').next().unwrap_or_default(), false),
        }
    }

    fn is(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_text(text),
            Value::Number(_) | Value::Bool(_) => self.is_text(&value.to_string()),
            _ => false,
        }
    }

    fn is_text(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Like(pattern) => pattern.matches(text),
        }
    }
}

/// Reads the field `claims`: names, each with what the claim must be; absent is empty.
pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<(String, Wanted)> {
    let pointer = fields.pointer("claims");
    let members = fields.object("claims", faults).into_iter().flatten();
    members
        .filter_map(|(name, value)| match Wanted::read(value) {
            Ok(wanted) => Some((name.clone(), wanted)),
            Err(detail) => {
                faults.add(format!("{pointer}/{}", escape(name)), detail);
                None
            }
        })
        .collect()
}
