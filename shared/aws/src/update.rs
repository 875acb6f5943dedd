//! Writes `UpdateItem` expressions without naming every attribute three times.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

/// One conditional update. `#name` in a condition stands for the attribute `name`; values are named by [`Update::value`].
#[derive(Debug, Default)]
pub(crate) struct Update {
    set: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: HashMap<String, AttributeValue>,
}

impl Update {
    /// Makes an update that happens only if `condition` holds.
    pub(crate) fn when(condition: &str) -> Self {
        Self::default().and(condition)
    }

    /// Adds a condition.
    pub(crate) fn and(mut self, condition: &str) -> Self {
        self.note_names(condition);
        self.conditions.push(condition.to_owned());
        self
    }

    /// Names a value for conditions and expressions: `value("now", ...)` is `:now`.
    pub(crate) fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{name}"), value);
        self
    }

    /// Sets an attribute.
    pub(crate) fn set(self, name: &str, value: AttributeValue) -> Self {
        self.set_to(name, &format!(":{name}")).value(name, value)
    }

    /// Sets an attribute if there is a value; otherwise leaves it unchanged.
    pub(crate) fn set_some(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Sets an attribute to an expression.
    pub(crate) fn set_to(mut self, name: &str, expression: &str) -> Self {
        let assignment = format!("#{name} = {expression}");
        self.note_names(&assignment);
        self.set.push(assignment);
        self
    }

    /// Removes attributes; a missing attribute is not an error.
    pub(crate) fn remove(mut self, names: &[&str]) -> Self {
        for name in names {
            self.note_names(&format!("#{name}"));
            self.remove.push(format!("#{name}"));
        }
        self
    }

    /// Returns the update expression.
    pub(crate) fn expression(&self) -> String {
        let set = format!("SET {}", self.set.join(", "));
        if self.remove.is_empty() {
            set
        } else {
            format!("{set} REMOVE {}", self.remove.join(", "))
        }
    }

    /// Returns the condition expression.
    pub(crate) fn condition(&self) -> String {
        self.conditions.join(" AND ")
    }

    fn note_names(&mut self, expression: &str) {
        self.names.extend(names_in(expression));
    }
}

/// Returns the attribute names that an expression uses, as the request must list them.
pub(crate) fn names_in(expression: &str) -> impl Iterator<Item = (String, String)> {
    let placeholders = expression.split('#').skip(1);
    placeholders.map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let name = &rest[..end.unwrap_or(rest.len())];
        (format!("#{name}"), name.to_owned())
    })
}
