//! What the answer of a call over HTTP means.

use callboard_core::base::fields::{Faults, Fields};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::Schema;

const MAX_POINTER_BYTES: usize = 2048;
const MAX_SECONDS: u64 = 3600;

/// When a call counts as successful.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// Statuses, each from the first to the second.
    pub status: Vec<(u16, u16)>,
    /// A JSON Schema that the answer must satisfy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// How the end of work is found that goes on after the answer `202`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Where to ask: a pointer into the answer, or nothing for its `Location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_from: Option<String>,
    /// Seconds between two requests.
    pub interval: u64,
    /// A JSON Schema that the answer satisfies when the work is over.
    pub until: Value,
}

impl Success {
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let any = Self {
            status: vec![(200, 299)],
            body: None,
        };
        let pointer = fields.pointer("success");
        let own = fields.get("success");
        let Some(mut own) = own.and_then(|value| Fields::of(value, &pointer, faults)) else {
            return any;
        };
        let mut status = Vec::new();
        for (index, text) in own.lines("status", 16, faults).iter().enumerate() {
            match range(text) {
                Some(range) => status.push(range),
                None => faults.add(
                    format!("{pointer}/status/{index}"),
                    "must be a status or a range of statuses, such as \"200\" or \"200-299\"",
                ),
            }
        }
        let body = Schema::field(&mut own, "body", faults).map(|schema| schema.text().clone());
        own.finish(faults);
        let status = if status.is_empty() { any.status } else { status };
        Self { status, body }
    }
}

impl Poll {
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let pointer = fields.pointer("poll");
        let mut own = Fields::of(fields.get("poll")?, &pointer, faults)?;
        let url_from = own.line("url_from", MAX_POINTER_BYTES, faults).map(str::to_owned);
        if url_from.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
            faults.add(
                own.pointer("url_from"),
                "must be a JSON pointer into the answer, such as /links/status",
            );
        }
        let interval = own.integer("interval", 1, MAX_SECONDS, faults).unwrap_or(2);
        let until = Schema::field(&mut own, "until", faults).map(|schema| schema.text().clone());
        if own.get("until").is_none() {
            faults.add(
                own.pointer("until"),
                "is missing: a JSON Schema of the answer when the work is over",
            );
        }
        own.finish(faults);
        Some(Self {
            url_from,
            interval,
            until: until?,
        })
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let is_status = |status: u16| (100..=599).contains(&status);
    (first <= last && is_status(first) && is_status(last)).then_some((first, last))
}
