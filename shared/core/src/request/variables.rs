//! Values by name, for schemas.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// Variables by name. A value can be any JSON value.
#[derive(Debug, ToSchema)]
pub struct Variables(pub BTreeMap<String, Value>);
