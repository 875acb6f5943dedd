//! YAML with the lines of its values, so that a fault found by a JSON pointer is told with its line.

use std::collections::BTreeMap;
use std::fmt;

use callboard_core::base::json::escape;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// A YAML document.
#[derive(Debug)]
pub struct Document {
    /// Its content, as JSON.
    pub value: Value,
    /// The line of each value, by its RFC 6901 pointer.
    lines: BTreeMap<String, u64>,
}

impl Document {
    /// Reads a document. A repeated key is an error.
    ///
    /// # Errors
    /// A sentence that says what is wrong, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        // as in YAML 1.2: `y`, `no` and `on` are words
        let options = serde_saphyr::options! { strict_booleans: true };
        let root: Node =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| error.without_snippet().to_string())?;
        let mut lines = BTreeMap::new();
        let value = root.flatten(String::new(), &mut lines);
        Ok(Self { value, lines })
    }

    /// Returns the line of a value, or of the nearest value that it is in.
    #[must_use]
    pub fn line(&self, pointer: &str) -> u64 {
        let mut place = pointer;
        loop {
            if let Some(line) = self.lines.get(place) {
                return *line;
            }
            match place.rfind('/') {
                Some(end) => place = &place[..end],
                None => return 1,
            }
        }
    }
}

/// A value and where it is.
struct Node(Spanned<Content>);

enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn flatten(self, pointer: String, lines: &mut BTreeMap<String, u64>) -> Value {
        let line = self.0.referenced.line();
        let value = match self.0.value {
            Content::Scalar(value) => value,
            Content::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| item.flatten(format!("{pointer}/{index}"), lines))
                .collect(),
            Content::Object(entries) => {
                let entries = entries.into_iter().map(|(name, value)| {
                    let value = value.flatten(format!("{pointer}/{}", escape(&name)), lines);
                    (name, value)
                });
                Value::Object(entries.collect::<Map<_, _>>())
            }
        };
        lines.insert(pointer, line);
        value
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Content, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?;
        Ok(Content::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Content::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_value_has_its_line() -> Result<(), String> {
        let document = Document::parse(
            "services:\n  - name: a\n    operations:\n      - {name: b, timeout: 30}\n      - name: c\n",
        )?;
        assert_eq!(
            document.value,
            json!({"services": [{"name": "a", "operations": [{"name": "b", "timeout": 30}, {"name": "c"}]}]})
        );
        for (pointer, line) in [
            ("", 1),
            ("/services/0/name", 2),
            ("/services/0/operations/0/timeout", 4),
            ("/services/0/operations/1/name", 5),
            ("/services/0/operations/1/nothing/here", 5),
        ] {
            assert_eq!(document.line(pointer), line, "{pointer}");
        }
        Ok(())
    }

    #[test]
    fn a_repeated_key_and_broken_yaml_are_told_with_their_line() {
        for text in ["a: 1\nb: 2\na: 3\n", "a: [1,\n  2\nb: 3\n", "a: .nan\n"] {
            let told = Document::parse(text).err().unwrap_or_default();
            assert!(told.contains("line"), "{text}: {told}");
        }
    }
}
