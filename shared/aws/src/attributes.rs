//! Makes and reads the attributes of an item.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::{JobStatus, Lease};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An item as the SDK represents it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Makes a string attribute.
pub(crate) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// Makes a number attribute.
pub(crate) fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(format!("{number}"))
}

/// Makes the attribute for an instant: milliseconds since the Unix epoch.
pub(crate) fn instant(at: Timestamp) -> AttributeValue {
    number(at.as_millis())
}

/// Makes an attribute of JSON text.
pub(crate) fn json(value: &impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_json::to_string(value).map(AttributeValue::S).map_err(corrupt)
}

/// Makes the error for something in the table that cannot be read.
pub(crate) fn corrupt(error: impl Into<callboard_core::base::store_error::BoxError>) -> StoreError {
    StoreError::Corrupt(error.into())
}

/// Makes the error for an attribute that is missing or of the wrong type.
pub(crate) fn missing(name: &str) -> StoreError {
    corrupt(format!("the attribute {name:?} is missing or of the wrong type"))
}

/// Typed access to an item.
pub(crate) struct Attributes<'a>(pub(crate) &'a Item);

impl<'a> Attributes<'a> {
    pub(crate) fn string(&self, name: &str) -> Result<&'a str, StoreError> {
        let text = self.0.get(name).and_then(|value| value.as_s().ok());
        text.map(String::as_str).ok_or_else(|| missing(name))
    }

    pub(crate) fn optional_string(&self, name: &str) -> Option<&'a str> {
        self.string(name).ok()
    }

    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<T, StoreError> {
        let text = self.0.get(name).and_then(|value| value.as_n().ok());
        text.and_then(|text| text.parse().ok()).ok_or_else(|| missing(name))
    }

    pub(crate) fn instant(&self, name: &str) -> Result<Timestamp, StoreError> {
        self.number(name).map(Timestamp::from_millis)
    }

    pub(crate) fn optional_instant(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        self.0.get(name).map(|_| self.instant(name)).transpose()
    }

    pub(crate) fn status(&self) -> Result<JobStatus, StoreError> {
        self.string("status")?.parse().map_err(corrupt)
    }

    pub(crate) fn lease(&self) -> Result<Option<Lease>, StoreError> {
        if !self.0.contains_key("lease_token") {
            return Ok(None);
        }
        Ok(Some(Lease {
            token: self.string("lease_token")?.parse().map_err(corrupt)?,
            beat: self.number("lease_beat")?,
        }))
    }

    /// Reads the job's title, as lists show it; an earlier release wrote `(inline)` for a playbook without a name.
    pub(crate) fn title(&self) -> Option<String> {
        let name = self.optional_string("playbook").filter(|name| *name != "(inline)");
        name.map(str::to_owned)
    }

    /// Reads a list of JSON texts; an absent attribute is an empty list.
    pub(crate) fn json_list<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, StoreError> {
        let Some(value) = self.0.get(name) else {
            return Ok(Vec::new());
        };
        let items = value.as_l().map_err(|_| missing(name))?.iter();
        let read =
            |item: &AttributeValue| serde_json::from_str(item.as_s().map_err(|_| missing(name))?).map_err(corrupt);
        items.map(read).collect()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        if !self.0.contains_key(name) {
            return Ok(None);
        }
        serde_json::from_str(self.string(name)?).map(Some).map_err(corrupt)
    }
}
