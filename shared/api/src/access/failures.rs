//! Slows down who guesses.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::problem::{Kind, Problem};

/// How many failures an address may have in a period before it has to wait.
const FREE: u32 = 20;
const PERIOD: Duration = Duration::from_secs(60);
/// How long each answer takes from then on.
const PAUSE: Duration = Duration::from_secs(1);
/// How many addresses are remembered.
const MOST: usize = 10_000;

/// The failures of each address in the current period.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<String, (Instant, u32)>>);

impl Failures {
    /// Answers a request that shows nothing valid: late, if its address has failed often. Who shows what is valid is never held up.
    pub(crate) async fn answer(&self, source_ip: Option<&str>, told: String) -> Problem {
        if self.count(source_ip.unwrap_or_default()) <= FREE {
            return Problem::new(Kind::Unauthenticated, told);
        }
        sleep(PAUSE).await;
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
