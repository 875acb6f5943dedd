//! The tags of a secret: the parts of a credential that may be shown.

use aws_sdk_secretsmanager::types::Tag;
use callboard_core::base::time::Timestamp;
use callboard_core::credential::{CredentialKind, CredentialSummary};
use serde::de::DeserializeOwned;

const KIND: &str = "callboard:kind";
const CREATED_AT: &str = "callboard:created_at";
const UPDATED_AT: &str = "callboard:updated_at";

pub(crate) struct Tags {
    kind: CredentialKind,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Tags {
    pub(crate) fn new(kind: CredentialKind, now: Timestamp) -> Self {
        Self {
            kind,
            created_at: now,
            updated_at: now,
        }
    }

    /// Reads tags; `None` if they do not belong to a credential.
    pub(crate) fn parse(tags: &[Tag]) -> Option<Self> {
        Some(Self {
            kind: read(tags, KIND)?,
            created_at: read(tags, CREATED_AT)?,
            updated_at: read(tags, UPDATED_AT)?,
        })
    }

    pub(crate) fn to_secret(&self) -> Vec<Tag> {
        vec![
            tag(KIND, self.kind.to_string()),
            tag(CREATED_AT, self.created_at.to_string()),
            updated(self.updated_at),
        ]
    }

    pub(crate) fn summary(&self, name: &str) -> CredentialSummary {
        CredentialSummary {
            name: name.to_owned(),
            kind: self.kind,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Makes the tag that changes with each new value.
pub(crate) fn updated(now: Timestamp) -> Tag {
    tag(UPDATED_AT, now.to_string())
}

fn tag(key: &str, value: String) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn read<T: DeserializeOwned>(tags: &[Tag], key: &str) -> Option<T> {
    let tag = tags.iter().find(|tag| tag.key() == Some(key))?;
    serde_json::from_value(tag.value()?.into()).ok()
}
