//! Writes the events of a call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::output::Output;
use serde_json::{Value, json};

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

    /// Tells how the attempt has ended: with an answer, or with an error. `facts` are what else is known of it.
    ///
    /// # Errors
    /// The log store refuses the write.
    pub async fn ended(&self, error: Option<&str>, mut facts: Value) -> Result<(), StoreError> {
        let event = match error {
            None => "call_answered",
            Some(_) => "call_failed",
        };
        facts["error"] = error.into();
        self.tell(event, facts).await
    }

    /// Tells that the job is tried again after a pause. `retries` is how often it was tried again before.
    ///
    /// # Errors
    /// The log store refuses the write.
    pub async fn retried(&self, retries: u32, pause: Duration, error: Option<&str>) -> Result<(), StoreError> {
        let facts = json!({"retry": retries + 1, "pause_seconds": pause.as_secs_f64(), "error": error});
        self.tell("call_retried", facts).await
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
