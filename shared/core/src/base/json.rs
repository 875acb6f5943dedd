//! Reads JSON strictly: refuses anything that another reader might understand differently, and says where it is.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How many values a document may hold, including nested ones. A value takes about a hundred bytes of memory, however short it
/// is in the text. An inventory of 10,000 hosts with eight variables each is accepted.
pub const MAX_VALUES: usize = 100_000;

/// Why a text is not JSON that Callboard accepts.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    /// Where in the document, as an RFC 6901 pointer; empty for the whole document.
    pub pointer: String,
    /// What is wrong there, with line and column.
    pub message: String,
}

/// Parses a whole document. A repeated key, a number that would lose digits, nesting that is too deep, or more than
/// [`MAX_VALUES`] values is an error.
///
/// # Errors
/// [`JsonError`] says what is wrong and where.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let (mut track, left) = (serde_path_to_error::Track::new(), Cell::new(MAX_VALUES));
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let value = Strict(&left).deserialize(tracked).map_err(|error| JsonError {
        pointer: pointer_of(&track.path()),
        message: error.to_string(),
    })?;
    deserializer.end().map_err(|error| JsonError {
        pointer: String::new(),
        message: error.to_string(),
    })?;
    Ok(value)
}

/// Returns whether a value of `Content-Type` is JSON's: `application/json`, or a type that ends in `+json`.
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Returns whether a value is nested more levels deep than so many.
#[must_use]
pub fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper(item, left)),
        Value::Object(fields) => fields.values().any(|field| is_deeper(field, left)),
        _ => false,
    }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// Escapes one key for use in a JSON pointer (RFC 6901).
#[must_use]
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads one value and the values nested in it, up to the number that is left.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| {
            let message =
                format!("the document holds more than {MAX_VALUES} values; send less, or let the job fetch it");
            D::Error::custom(message)
        })?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match Number::from_f64(value) {
            Some(number) if value.abs() <= EXACT => Ok(Value::Number(number)),
            _ => Err(E::custom(
                "this number is too large to be kept exactly; send it as a string",
            )),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            values.push(value);
        }
        values.shrink_to_fit();
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            pairs.push((key, entries.next_value_seed(self)?));
        }
        // a map that grows entry by entry allocates more room than it needs
        let mut object = Map::with_capacity(pairs.len());
        for (key, value) in pairs {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} is repeated")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_refused_with_its_place() {
        for (text, pointer) in [
            (r#"{"a": {"b": 1, "b": 2}}"#, "/a"),
            (r#"{"a": [1, 1e999]}"#, "/a/1"),
            (r#"{"a/b": 123456789012345678901234567890}"#, "/a~1b"),
            (r#"{"a": 1} x"#, ""),
            (r#"{"a": "\ud800"}"#, "/a"),
            ("", ""),
        ] {
            match parse(text.as_bytes()) {
                Err(error) => assert_eq!(error.pointer, pointer, "{text}"),
                Ok(value) => assert!(value.is_null(), "{text} was read as {value}"),
            }
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_crash() {
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn a_document_of_more_values_than_memory_is_meant_for_is_refused() {
        let of = |values: usize| format!("[{}]", vec!["0"; values - 1].join(","));
        assert!(parse(of(MAX_VALUES).as_bytes()).is_ok());
        let error = parse(of(MAX_VALUES + 1).as_bytes()).err();
        assert_eq!(error.map(|error| error.pointer), Some(format!("/{}", MAX_VALUES - 1)));
    }

    #[test]
    fn ordinary_json_is_read_as_it_stands() {
        let text = r#"{"a":[1,-2,0.5,"x",null,true,18446744073709551615],"b":{}}"#;
        assert_eq!(
            parse(text.as_bytes()).map(|value| value.to_string()).ok().as_deref(),
            Some(text)
        );
    }
}
