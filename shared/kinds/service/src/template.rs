//! Texts with places for fields of the input: `/charges/{charge_id}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A text in which `{name}` stands for a field of the input, and `{{` and `}}` for braces.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Field(String),
}

/// Why a template cannot be filled in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The field of the input.
    pub field: String,
    /// What is wrong with it.
    pub detail: &'static str,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The end of a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = rest.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else {
                let field = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
                let (name, after) = field.ok_or("has a brace without its counterpart; `{{` and `}}` are braces")?;
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    return Err(format!(
                        "has {{{name}}}, which is no name of a field: letters, digits and `_`"
                    ));
                }
                parts.extend((!plain.is_empty()).then(|| Part::Text(std::mem::take(&mut plain))));
                parts.push(Part::Field(name.to_owned()));
                rest = after;
            }
        }
        plain.push_str(rest);
        parts.extend((!plain.is_empty()).then_some(Part::Text(plain)));
        let text = text.to_owned();
        Ok(Self { text, parts })
    }

    /// Returns the fields that it names.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Returns whether the text begins with a field, so that the input decides what it begins with.
    #[must_use]
    pub fn begins_with_a_field(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Field(_)))
    }

    /// Fills an argument as it is.
    ///
    /// # Errors
    /// A sentence that says what the input lacks.
    pub fn argument(&self, input: &Value) -> Result<String, String> {
        let filled = self.fill(input, |text, filled| filled.push_str(text));
        filled.map_err(|missing| format!("/input/{} {}.", missing.field, missing.detail))
    }

    /// Returns the text with the fields of an input, each written by `write`.
    ///
    /// # Errors
    /// A field is not there, or is neither a text, a number nor a boolean.
    pub fn fill(&self, input: &Value, mut write: impl FnMut(&str, &mut String)) -> Result<String, Missing> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Field(name) => {
                    let missing = |detail| Missing {
                        field: name.clone(),
                        detail,
                    };
                    match &input[name.as_str()] {
                        Value::String(text) => write(text, &mut filled),
                        Value::Number(number) => write(&number.to_string(), &mut filled),
                        Value::Bool(value) => write(&value.to_string(), &mut filled),
                        Value::Null => return Err(missing("is missing")),
                        Value::Array(_) | Value::Object(_) => {
                            return Err(missing("must be a string, a number or a boolean"));
                        }
                    }
                }
            }
        }
        Ok(filled)
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

/// Fills arguments.
///
/// # Errors
/// As for [`Template::argument`].
pub fn arguments<'a>(templates: impl IntoIterator<Item = &'a Template>, input: &Value) -> Result<Vec<String>, String> {
    templates.into_iter().map(|template| template.argument(input)).collect()
}

/// Returns what is called with arguments, for people: each argument so that it is seen where it ends.
pub fn line<'a>(what: String, arguments: impl IntoIterator<Item = &'a String>) -> String {
    let arguments = arguments.into_iter().map(|argument| quoted(argument));
    std::iter::once(what).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn quoted(argument: &str) -> String {
    let is_plain = |char: char| !char.is_whitespace() && !char.is_control() && char != '"';
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    Value::from(argument).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(text: &str) -> Result<String, String> {
        let input = json!({"id": "a b", "n": 1.5, "yes": true, "list": [1], "none": null});
        let filled = Template::parse(text)?.fill(&input, |value, filled| filled.push_str(value));
        filled.map_err(|missing| format!("{} {}", missing.field, missing.detail))
    }

    #[test]
    fn fields_of_the_input_take_their_places() {
        for (text, expected) in [
            ("", Ok("")),
            ("/x", Ok("/x")),
            ("{id}", Ok("a b")),
            ("/{id}/{n}?{yes}", Ok("/a b/1.5?true")),
            ("{{id}}", Ok("{id}")),
            ("{nothing}", Err("nothing is missing")),
            ("{none}", Err("none is missing")),
            ("{list}", Err("list must be a string, a number or a boolean")),
        ] {
            assert_eq!(fill(text).as_deref().map_err(String::as_str), expected, "{text}");
        }
        for text in ["{", "}", "{a", "a}", "{a.b}", "{}", "{{a}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
