//! Values of an item that may be too large for it.

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::base::store_error::StoreError;

use crate::attributes::{Item, missing, string};

/// A value that is in the item itself, or in the bucket because it is large.
#[derive(Debug)]
pub(crate) enum Stored {
    /// The value's JSON.
    Inline(String),
    /// The key of the object that holds the value's JSON.
    Object(String),
}

impl Stored {
    /// Returns the attribute that holds the value: `name`, or `name_ref`.
    pub(crate) fn attribute(self, name: &str) -> (String, AttributeValue) {
        match self {
            Self::Inline(json) => (name.to_owned(), string(json)),
            Self::Object(key) => (format!("{name}_ref"), string(key)),
        }
    }

    /// Takes a value out of an item, if it is there.
    pub(crate) fn take(item: &mut Item, name: &str) -> Result<Option<Self>, StoreError> {
        let take = |item: &mut Item, name: &str| match item.remove(name) {
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(missing(name)),
            None => Ok(None),
        };
        Ok(match take(item, name)? {
            Some(json) => Some(Self::Inline(json)),
            None => take(item, &format!("{name}_ref"))?.map(Self::Object),
        })
    }
}
