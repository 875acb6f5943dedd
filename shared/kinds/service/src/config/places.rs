//! Reads templates and secrets in a configuration.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::json::escape;
use serde_json::{Map, Value};

use crate::template::Template;

const MAX_BYTES: usize = 4096;
const MAX_AWS_BYTES: usize = 64;

/// Reads a field that has one of a few words; absent, or a fault, is the usual one.
pub(super) fn choice(
    fields: &mut Fields<'_>,
    name: &'static str,
    words: &[&'static str],
    usual: &'static str,
    faults: &mut Faults,
) -> &'static str {
    match fields.get(name) {
        None => usual,
        Some(_) => fields.variant(name, words, faults).unwrap_or(usual),
    }
}

/// Reads the name of a region or service of AWS; absent is `None`.
pub(super) fn aws_name(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<String> {
    let text = fields.line(name, MAX_AWS_BYTES, faults)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.bytes().all(good) {
        faults.add(fields.pointer(name), "must be lower-case letters, digits and `-`");
    }
    Some(text.to_owned())
}

/// Reads a template; absent is `None`.
pub(super) fn template(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Template> {
    let text = fields.line(name, MAX_BYTES, faults)?;
    parse(text, fields.pointer(name), faults)
}

/// Reads an object of templates; absent is empty.
pub(super) fn templates(
    fields: &mut Fields<'_>,
    name: &'static str,
    faults: &mut Faults,
) -> BTreeMap<String, Template> {
    let pointer = fields.pointer(name);
    let texts = fields.line_map(name, MAX_BYTES, faults);
    let parsed = texts.into_iter().filter_map(|(name, text)| {
        let template = parse(&text, format!("{pointer}/{}", escape(&name)), faults)?;
        Some((name, template))
    });
    parsed.collect()
}

/// Reads a list of templates; absent is empty.
pub(super) fn template_list(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Vec<Template> {
    let texts = fields.lines(name, MAX_BYTES, faults);
    let pointer = fields.pointer(name);
    let parsed = texts
        .iter()
        .enumerate()
        .filter_map(|(index, text)| parse(text, format!("{pointer}/{index}"), faults));
    parsed.collect()
}

/// Adds the fields of one object to another; objects in them are added likewise, unless they are of another `type`, and everything
/// else is replaced.
pub(crate) fn merge(base: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = base.clone();
    for (name, value) in own {
        let value = match (merged.get(name), value) {
            (Some(Value::Object(base)), Value::Object(own)) if !is_of_another_type(base, own) => {
                Value::Object(merge(base, own))
            }
            _ => value.clone(),
        };
        merged.insert(name.clone(), value);
    }
    merged
}

fn is_of_another_type(base: &Map<String, Value>, own: &Map<String, Value>) -> bool {
    matches!((base.get("type"), own.get("type")), (Some(base), Some(own)) if base != own)
}

fn parse(text: &str, pointer: String, faults: &mut Faults) -> Option<Template> {
    Template::parse(text).map_err(|wrong| faults.add(pointer, wrong)).ok()
}
