//! Turns away who guesses.

use super::counts::{Counts, network};
use crate::problem::{Kind, Problem};

/// How many failures an address may have in a minute before it is turned away.
const FREE: u32 = 20;

/// The failures of each address.
#[derive(Debug, Default)]
pub(super) struct Failures(Counts);

impl Failures {
    /// Answers a request that shows nothing valid; ends its connection, if its address has failed often. It is not made to wait: a
    /// request that waits takes the place of another. Who shows what is valid is never turned away.
    pub(super) fn answer(&self, source_ip: Option<&str>, told: String) -> Problem {
        let count = self.0.count(&network(source_ip));
        if count <= FREE || count.is_power_of_two() {
            tracing::warn!(source_ip, count, told, "a request shows no valid key or token");
        }
        if count <= FREE {
            return Problem::new(Kind::Unauthenticated, told);
        }
        let detail = "Too many requests from this address have shown no valid key or token; wait a minute.";
        Problem::new(Kind::TooManyFailures, detail)
    }
}
