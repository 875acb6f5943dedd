//! Messages that the queue has given up.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::time::Timestamp;

/// A message that no worker could deal with, so that the queue gave it up. Its job waits until somebody redrives it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct DeadLetter {
    /// When it was given up.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How often it had been received.
    pub receives: u32,
    /// Why, in a sentence.
    pub error: String,
}
