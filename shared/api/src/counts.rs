//! Counts what addresses do, period by period.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(60);
/// How many addresses are remembered.
const MOST: usize = 10_000;

/// How often each address has done something in its current period, a minute.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<String, (Instant, u32)>>);

impl Counts {
    /// Counts one more, and returns how many there are in this period.
    pub(crate) fn count(&self, address: &str) -> u32 {
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
