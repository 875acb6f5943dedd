//! When a call that failed is tried again.

use std::time::Duration;

use callboard_core::base::fields::{Faults, Fields};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const MAX_RETRIES: u64 = 10;
const MAX_SECONDS: u64 = 24 * 3600;
const MAX_REASON_BYTES: usize = 64;

/// How often, and after which pauses, a call that failed is tried again.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often it is tried again.
    pub max_retries: u32,
    /// Seconds before the first time.
    pub initial_interval: u64,
    /// By how much each pause is longer than the one before.
    pub coefficient: f64,
    /// The longest pause, in seconds. It also bounds what a server's `Retry-After` asks for.
    pub max_interval: u64,
    /// The reasons of failures that are final.
    pub non_retryable: Vec<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_retries: 0,
            initial_interval: 1,
            coefficient: 2.0,
            max_interval: 300,
            non_retryable: Vec::new(),
        }
    }
}

impl Retry {
    /// Reads `max_retries` and `retry` of an operation.
    pub(crate) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let mut retry = Self::default();
        if let Some(max) = fields.integer("max_retries", 0, MAX_RETRIES, faults) {
            retry.max_retries = u32::try_from(max).unwrap_or_default();
        }
        let pointer = fields.pointer("retry");
        let own = fields
            .get("retry")
            .and_then(|value| Fields::of(value, &pointer, faults));
        let Some(mut own) = own else { return retry };
        if let Some(seconds) = own.integer("initial_interval", 0, MAX_SECONDS, faults) {
            retry.initial_interval = seconds;
        }
        if let Some(seconds) = own.integer("max_interval", 0, MAX_SECONDS, faults) {
            retry.max_interval = seconds;
        }
        match own.get("coefficient").map(Value::as_f64) {
            None => {}
            Some(Some(number)) if (1.0..=10.0).contains(&number) => retry.coefficient = number,
            Some(_) => faults.add(own.pointer("coefficient"), "must be a number from 1 to 10"),
        }
        retry.non_retryable = own.lines("non_retryable", MAX_REASON_BYTES, faults);
        own.finish(faults);
        retry
    }

    /// Returns the pause before a try: the first retry is 1. `asked` is what the server has asked for.
    #[must_use]
    pub fn pause(&self, retry: u32, asked: Option<Duration>) -> Duration {
        let longest = Duration::from_secs(self.max_interval);
        let factor = self
            .coefficient
            .powi(i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX));
        let seconds = (self.initial_interval as f64 * factor).min(self.max_interval as f64);
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(longest)
            .max(asked.unwrap_or_default())
            .min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_are_as_long_as_the_server_asks() {
        let retry = Retry {
            max_interval: 10,
            ..Retry::default()
        };
        let seconds = |number, asked: u64| retry.pause(number, Some(Duration::from_secs(asked))).as_secs();
        assert_eq!(
            [1, 2, 3, 4, 5, 1000].map(|number| seconds(number, 0)),
            [1, 2, 4, 8, 10, 10]
        );
        assert_eq!((seconds(1, 5), seconds(1, 3600)), (5, 10));
    }
}
