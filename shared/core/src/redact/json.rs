//! Redacts the JSON text of an event and keeps its layout. Names that have a meaning in an event stay, whatever the secrets are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::Value;

use super::redactor::{REPLACEMENT, Redactor};

/// Names that have a meaning in a kind's events. They stay, whatever the secrets are.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Fields of the outermost object that hold counts by name, in quotes. Numbers in these fields are counts; names are data.
    pub counts: &'static [&'static [u8]],
    /// Names of fields at any depth, sorted.
    pub fields: &'static [&'static str],
}

impl Redactor {
    /// Redacts an event, which is a JSON text: every string, and numbers that are secrets, except counts. The field names of the
    /// outermost object and the names in `names` stay; other names may be data, such as host names.
    #[must_use]
    pub fn json(&self, json: &[u8], names: Names) -> Vec<u8> {
        if self.is_empty() {
            return json.to_vec();
        }
        redact(self, json, names)
    }
}

/// Redacts every string literal, and numbers that are secrets, and leaves everything else as it is written.
fn redact(redactor: &Redactor, json: &[u8], names: Names) -> Vec<u8> {
    let mut redacted = Vec::with_capacity(json.len());
    let (mut rest, mut place) = (json, Place::new(names));
    while let Some(start) = rest.iter().position(|byte| is_told(*byte)) {
        let (before, from) = rest.split_at(start);
        redacted.extend_from_slice(before);
        let strings = list_length(from);
        if strings > 0 {
            let (list, after) = from.split_at(strings);
            redacted.extend_from_slice(&redact_list(redactor, list));
            rest = after;
            continue;
        }
        let (token, after) = from.split_at(length(from));
        match token[0] {
            b'{' | b'[' => place.depth += 1,
            b'}' | b']' => place.depth = place.depth.saturating_sub(1),
            b'"' if is_key(after) => place.enter(token),
            _ => {}
        }
        redacted.extend_from_slice(&place.redact(redactor, token, is_key(after)));
        rest = after;
    }
    redacted.extend_from_slice(rest);
    redacted
}

/// The current place in a text.
struct Place {
    names: Names,
    depth: usize,
    /// Whether the current field of the outermost object holds counts.
    counts: bool,
}

impl Place {
    fn new(names: Names) -> Self {
        Self {
            names,
            depth: 0,
            counts: false,
        }
    }

    fn is_name(&self, literal: &[u8]) -> bool {
        let name = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
        let known = self.names.fields;
        known.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok()
    }

    fn enter(&mut self, key: &[u8]) {
        if self.depth == 1 {
            self.counts = self.names.counts.contains(&key);
        }
    }

    fn redact<'a>(&self, redactor: &Redactor, token: &'a [u8], is_key: bool) -> Cow<'a, [u8]> {
        match token[0] {
            b'"' if is_key && (self.depth == 1 || (!self.counts && self.is_name(token))) => Cow::Borrowed(token),
            b'"' => redact_literal(redactor, token),
            b'-' | b'0'..=b'9' if self.depth > 1 && !self.counts && redactor.is_secret(number(token)) => {
                Cow::Owned(Value::from(REPLACEMENT).to_string().into_bytes())
            }
            _ => Cow::Borrowed(token),
        }
    }
}

/// Returns whether a byte begins a token that changes the place or may be a secret.
fn is_told(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b'-' | b'0'..=b'9')
}

fn is_key(after: &[u8]) -> bool {
    after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

/// Returns the digits of a whole number.
fn number(token: &[u8]) -> &[u8] {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    digits.strip_suffix(b".0").unwrap_or(digits)
}

/// Counts the bytes of the token at the start of a text.
fn length(text: &[u8]) -> usize {
    match text[0] {
        b'"' => literal_length(text),
        b'-' | b'0'..=b'9' => {
            let of_number = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
            text.iter().take_while(of_number).count()
        }
        _ => 1,
    }
}

/// Counts the bytes of the literal at the start of a text, including its quotes.
fn literal_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let mut ends = |byte: &u8| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    };
    let end = text.iter().skip(1).position(&mut ends);
    end.map_or(text.len(), |end| end + 2)
}

/// Counts the bytes of the consecutive strings of a list at the start of a text; 0 if there is not more than one.
fn list_length(text: &[u8]) -> usize {
    let (mut at, mut strings) = (0, 0);
    while text.get(at) == Some(&b'"') {
        let end = at + literal_length(&text[at..]);
        if is_key(&text[end..]) {
            break;
        }
        strings += 1;
        let next = end + separator_length(&text[end..]);
        if next == end || text.get(next) != Some(&b'"') {
            return if strings > 1 { end } else { 0 };
        }
        at = next;
    }
    0
}

/// Counts the bytes of a comma and the space around it.
fn separator_length(text: &[u8]) -> usize {
    let space = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let comma = space(text);
    match text.get(comma) {
        Some(b',') => comma + 1 + space(&text[comma + 1..]),
        _ => 0,
    }
}

/// Redacts the strings of a list. They may be the lines of a text, so a secret that continues in the next string is found too.
fn redact_list(redactor: &Redactor, list: &[u8]) -> Vec<u8> {
    let (mut redacted, mut at) = (Vec::with_capacity(list.len()), 0);
    let joined = redactor.lines(&texts(list));
    for line in joined {
        let end = at + literal_length(&list[at..]);
        let next = end + separator_length(&list[end..]);
        match line {
            Some(line) => redacted.extend_from_slice(Value::from(line).to_string().as_bytes()),
            None => redacted.extend_from_slice(&list[at..end]),
        }
        redacted.extend_from_slice(&list[end..next]);
        at = next;
    }
    redacted
}

/// Returns the texts of the strings in a list; for one that is not a JSON string, its bytes.
fn texts(list: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let (mut texts, mut at) = (Vec::new(), 0);
    while at < list.len() {
        let literal = &list[at..at + literal_length(&list[at..])];
        texts.push(serde_json::from_slice(literal).map_or(Cow::Borrowed(literal), |Literal(text)| text));
        at += literal.len();
        at += separator_length(&list[at..]);
    }
    texts
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

/// The text of a literal, as bytes, because Python writes lone surrogates, which no Rust string can hold.
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
