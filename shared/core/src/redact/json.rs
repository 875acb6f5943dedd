//! Redacting the strings of a JSON text where they stand.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::Value;

use super::Redactor;

/// Redacts every string literal, and leaves all else as it is written.
pub(super) fn redact(redactor: &Redactor, json: &[u8]) -> Vec<u8> {
    let mut redacted = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let (before, from) = rest.split_at(start);
        let (literal, after) = from.split_at(length(from));
        redacted.extend_from_slice(before);
        redacted.extend_from_slice(&redact_literal(redactor, literal));
        rest = after;
    }
    redacted.extend_from_slice(rest);
    redacted
}

/// Counts the bytes of the literal that a text begins with, its quotes among them.
fn length(text: &[u8]) -> usize {
    let mut escaped = false;
    let mut ends = |byte: &u8| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    };
    let end = text.iter().skip(1).position(&mut ends);
    end.map_or(text.len(), |end| end + 2)
}

fn redact_literal<'a>(redactor: &Redactor, literal: &'a [u8]) -> Cow<'a, [u8]> {
    let Ok(Literal(text)) = serde_json::from_slice(literal) else {
        return redactor.bytes(literal);
    };
    match redactor.bytes(&text) {
        Cow::Borrowed(_) => Cow::Borrowed(literal),
        Cow::Owned(changed) => {
            let changed = String::from_utf8_lossy(&changed).into_owned();
            Cow::Owned(Value::String(changed).to_string().into_bytes())
        }
    }
}

/// The text of a literal. As bytes, because Python writes lone surrogates, which no Rust string can hold.
struct Literal<'a>(Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Literal<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(LiteralVisitor).map(Self)
    }
}

struct LiteralVisitor;

impl<'de> Visitor<'de> for LiteralVisitor {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_vec()))
    }

    fn visit_borrowed_bytes<E>(self, text: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
}
