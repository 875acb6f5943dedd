//! Messages that the queue has given up.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::time::Timestamp;

/// A message that no worker could process and that the queue has given up. Its job waits until it is redriven.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct DeadLetter {
    /// When the message was given up.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How many times the message had been received.
    pub receives: u32,
    /// Why the message was given up, in a sentence.
    pub error: String,
}
