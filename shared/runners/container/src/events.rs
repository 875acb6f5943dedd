//! Tells the events of a call.

use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::output::Output;
use serde_json::Value;

/// The events of one attempt.
pub(crate) struct Events<'a> {
    output: &'a Output,
    told: u64,
}

impl<'a> Events<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, told: 0 }
    }

    /// Tells an event.
    ///
    /// # Errors
    /// The log store refuses the write.
    pub(crate) async fn tell(&mut self, event: &str, mut facts: Value) -> Result<(), StoreError> {
        self.told += 1;
        facts["counter"] = self.told.into();
        facts["event"] = event.into();
        facts["created"] = SystemClock.now().to_string().into();
        self.output.event(&facts).await
    }
}
