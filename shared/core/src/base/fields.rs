//! Reads the fields of a request and collects every fault, each with a JSON pointer to its field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base::json::escape;

/// One thing that is wrong with a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldError {
    /// Where it is, as an RFC 6901 pointer into the request.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

impl FieldError {
    /// Says where it is and what is wrong.
    #[must_use]
    pub fn told(&self) -> String {
        let place = if self.pointer.is_empty() { "it" } else { &self.pointer };
        format!("{place} {}", self.detail)
    }
}

/// The faults found so far in one request.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    /// Adds a fault at a pointer.
    pub fn add(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
    }

    /// Returns how many faults were found so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the faults.
    #[must_use]
    pub fn into_inner(self) -> Vec<FieldError> {
        self.0
    }

    /// Returns `value` if there are no faults, otherwise every fault.
    ///
    /// # Errors
    /// The faults, in the order in which they were found.
    pub fn or<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// The fields of one object; a field that nobody asked for is a fault.
pub struct Fields<'a> {
    pointer: String,
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Starts reading an object; anything else is a fault.
    pub fn of(value: &'a Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let Value::Object(object) = value else {
            faults.add(pointer, format!("must be an object, not {}", kind(value)));
            return None;
        };
        Some(Self {
            pointer: pointer.to_owned(),
            object,
            known: Vec::new(),
        })
    }

    /// Starts reading an object with free-form field names.
    #[must_use]
    pub fn of_map(object: &'a Map<String, Value>, pointer: &str) -> Self {
        Self {
            pointer: pointer.to_owned(),
            object,
            known: Vec::new(),
        }
    }

    /// Returns the pointer to one of the fields.
    #[must_use]
    pub fn pointer(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escape(name))
    }

    /// Returns a field's value; `null` counts as absent.
    pub fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Marks a field as known because other code reads it.
    pub fn allow(&mut self, name: &'static str) {
        self.get(name);
    }

    /// Reads the field that says which of several forms the object has; absent is a fault.
    pub fn variant(&mut self, name: &'static str, forms: &[&'static str], faults: &mut Faults) -> Option<&'static str> {
        let value = self.get(name);
        let form = value.and_then(|value| forms.iter().find(|form| value.as_str() == Some(form)));
        if form.is_none() {
            let what = if value.is_none() {
                "is missing"
            } else {
                "is not known here"
            };
            let known: Vec<String> = forms.iter().map(|form| format!("{form:?}")).collect();
            let verb = if known.len() == 1 { "is" } else { "are" };
            faults.add(self.pointer(name), format!("{what}; known {verb} {}", known.join(", ")));
        }
        form.copied()
    }

    /// Reads a boolean; absent is `false`.
    pub fn boolean(&mut self, name: &'static str, faults: &mut Faults) -> bool {
        match self.get(name) {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(other) => {
                faults.add(
                    self.pointer(name),
                    format!("must be true or false, not {}", kind(other)),
                );
                false
            }
        }
    }

    /// Reads a whole number from `min` to `max`, inclusive; absent is `None`.
    pub fn integer(&mut self, name: &'static str, min: u64, max: u64, faults: &mut Faults) -> Option<u64> {
        let value = self.get(name)?;
        match value.as_u64() {
            Some(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                let found = if value.is_number() {
                    value.to_string()
                } else {
                    kind(value).to_owned()
                };
                faults.add(
                    self.pointer(name),
                    format!("must be a whole number from {min} to {max}, not {found}"),
                );
                None
            }
        }
    }

    /// Reads a non-empty text of one line and at most `max` bytes; absent is `None`.
    pub fn line(&mut self, name: &'static str, max: usize, faults: &mut Faults) -> Option<&'a str> {
        let value = self.get(name)?;
        check_line(value, &self.pointer(name), max, faults)
    }

    /// Reads a one-line text like [`Fields::line`]; absent is a fault.
    pub fn required_line(&mut self, name: &'static str, max: usize, faults: &mut Faults) -> Option<&'a str> {
        if self.get(name).is_none() {
            faults.add(self.pointer(name), "is missing");
        }
        self.line(name, max, faults)
    }

    /// Reads a non-empty text of any number of lines and at most `max` bytes, without NUL; absent is `None`.
    pub fn text(&mut self, name: &'static str, max: usize, faults: &mut Faults) -> Option<&'a str> {
        let detail = match self.get(name)? {
            Value::String(text) if text.is_empty() => "must not be empty".to_owned(),
            Value::String(text) if text.len() > max => format!("must have at most {max} bytes, not {}", text.len()),
            Value::String(text) if text.contains('\0') => "must not hold NUL".to_owned(),
            Value::String(text) => return Some(text),
            other => format!("must be a string, not {}", kind(other)),
        };
        faults.add(self.pointer(name), detail);
        None
    }

    /// Reads an object; absent is `None`.
    pub fn object(&mut self, name: &'static str, faults: &mut Faults) -> Option<&'a Map<String, Value>> {
        match self.get(name)? {
            Value::Object(members) => Some(members),
            other => {
                faults.add(self.pointer(name), format!("must be an object, not {}", kind(other)));
                None
            }
        }
    }

    /// Reads an object of one-line texts; absent is empty.
    pub fn line_map(&mut self, name: &'static str, max: usize, faults: &mut Faults) -> BTreeMap<String, String> {
        let pointer = self.pointer(name);
        let members = self.object(name, faults).into_iter().flatten();
        members
            .filter_map(|(name, value)| {
                let line = check_line(value, &format!("{pointer}/{}", escape(name)), max, faults)?;
                Some((name.clone(), line.to_owned()))
            })
            .collect()
    }

    /// Reads a list of one-line texts; absent is empty.
    pub fn lines(&mut self, name: &'static str, max: usize, faults: &mut Faults) -> Vec<String> {
        self.get(name);
        self.lines_of(name, max, faults)
    }

    /// Reads a list of one-line texts from a field with a free-form name; absent is empty.
    pub fn lines_of(&self, name: &str, max: usize, faults: &mut Faults) -> Vec<String> {
        let pointer = self.pointer(name);
        match self.object.get(name).filter(|value| !value.is_null()) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .filter_map(|(index, item)| check_line(item, &format!("{pointer}/{index}"), max, faults))
                .map(str::to_owned)
                .collect(),
            Some(other) => {
                faults.add(pointer, format!("must be a list of strings, not {}", kind(other)));
                Vec::new()
            }
        }
    }

    /// Finishes reading: every field that was not asked for is a fault.
    pub fn finish(self, faults: &mut Faults) {
        for name in self.object.keys().filter(|name| !self.known.contains(&name.as_str())) {
            faults.add(
                self.pointer(name),
                format!("is not known here; known are {}", self.known.join(", ")),
            );
        }
    }
}

fn check_line<'a>(value: &'a Value, pointer: &str, max: usize, faults: &mut Faults) -> Option<&'a str> {
    let detail = match value {
        Value::String(text) if text.is_empty() => "must not be empty".to_owned(),
        Value::String(text) if text.len() > max => format!("must have at most {max} bytes, not {}", text.len()),
        Value::String(text) if text.chars().any(char::is_control) => "must not hold control characters".to_owned(),
        Value::String(text) => return Some(text),
        other => format!("must be a string, not {}", kind(other)),
    };
    faults.add(pointer, detail);
    None
}

/// Names the kind of a JSON value, for messages.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
