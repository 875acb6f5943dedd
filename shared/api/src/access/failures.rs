//! Turns away who guesses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::problem::{Kind, Problem};

/// How many failures an address may have in a period before it is turned away.
const FREE: u32 = 20;
const PERIOD: Duration = Duration::from_secs(60);
/// How many addresses are remembered.
const MOST: usize = 10_000;

/// The failures of each address in the current period.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<String, (Instant, u32)>>);

impl Failures {
    /// Answers a request that shows nothing valid; ends its connection, if its address has failed often. It is not made to wait: a
    /// request that waits takes the place of another. Who shows what is valid is never turned away.
    pub(crate) fn answer(&self, source_ip: Option<&str>, told: String) -> Problem {
        let count = self.count(source_ip.unwrap_or_default());
        if count <= FREE || count.is_power_of_two() {
            tracing::warn!(source_ip, count, told, "a request shows no valid key or token");
        }
        if count <= FREE {
            return Problem::new(Kind::Unauthenticated, told);
        }
        let detail = "Too many requests from this address have shown no valid key or token; wait a minute.";
        Problem::new(Kind::TooManyFailures, detail)
    }

    fn count(&self, address: &str) -> u32 {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(address) {
            all.retain(|_, (since, _)| now.duration_since(*since) < PERIOD);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let (since, count) = all.entry(address.to_owned()).or_insert((now, 0));
        if now.duration_since(*since) >= PERIOD {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count
    }
}
