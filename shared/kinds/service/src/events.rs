//! Writes the events of a call.

use std::sync::atomic::{AtomicU64, Ordering};

use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::output::Output;
use serde_json::Value;

/// How many events an attempt may have of what happens on its way, besides its beginning and its end.
const MOST_ON_THE_WAY: u64 = 100;

/// Writes the events of one attempt, in order.
pub struct Events<'a> {
    output: &'a Output,
    on_the_way: AtomicU64,
}

impl<'a> Events<'a> {
    /// Writes to the output of an attempt.
    #[must_use]
    pub fn new(output: &'a Output) -> Self {
        let on_the_way = AtomicU64::new(0);
        Self { output, on_the_way }
    }

    /// Tells what happens on the way; nothing once there were very many of it.
    ///
    /// # Errors
    /// The log store refuses the write.
    pub async fn on_the_way(&self, event: &str, facts: Value) -> Result<(), StoreError> {
        if self.on_the_way.fetch_add(1, Ordering::Relaxed) >= MOST_ON_THE_WAY {
            return Ok(());
        }
        self.tell(event, facts).await
    }

    /// Tells a fact: the event's name, and what else it has. What is null is left out.
    ///
    /// # Errors
    /// The log store refuses the write.
    pub async fn tell(&self, event: &str, mut facts: Value) -> Result<(), StoreError> {
        if let Value::Object(facts) = &mut facts {
            facts.retain(|_, fact| !fact.is_null());
        }
        facts["counter"] = self.output.number_event().into();
        facts["event"] = event.into();
        facts["created"] = SystemClock.now().to_string().into();
        self.output.event(&facts).await
    }
}
