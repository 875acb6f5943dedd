//! Counts what callers and addresses do, a minute at a time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(60);
/// How many names are remembered.
const MOST: usize = 10_000;

/// How often each name was counted in its current period.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<String, (Instant, u32)>>);

impl Counts {
    /// Counts a name once more, and returns how often it was counted.
    pub(crate) fn count(&self, name: &str) -> u32 {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(name) {
            all.retain(|_, (since, _)| now.duration_since(*since) < PERIOD);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let (since, count) = all.entry(name.to_owned()).or_insert((now, 0));
        if now.duration_since(*since) >= PERIOD {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count
    }
}
