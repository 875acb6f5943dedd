//! Requests to queue a job again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::time::Timestamp;

/// Who had a waiting job queued again, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Redrive {
    /// Who asked, as in `cancel.by`.
    pub by: String,
    /// When the job was queued again.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}
