//! How a call over HTTP shows who sends it.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::credential::{CredentialKind, CredentialRef};
use serde::{Deserialize, Serialize};

const MAX_USER_BYTES: usize = 255;

/// The schemes, and the kind of credential that each takes.
const SCHEMES: [(&str, &[CredentialKind]); 3] = [
    ("basic", &[CredentialKind::Password]),
    ("bearer", &[CredentialKind::Bearer]),
    ("header", &[CredentialKind::Header]),
];

/// How a call shows who sends it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The scheme.
    #[serde(rename = "type")]
    pub scheme: String,
    /// The secret.
    pub credential: CredentialRef,
    /// The user of the scheme `basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl Auth {
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let pointer = fields.pointer("auth");
        let mut own = Fields::of(fields.get("auth")?, &pointer, faults)?;
        let scheme = own.variant("type", &SCHEMES.map(|(name, _)| name), faults);
        let credential = CredentialRef::field(&mut own, "credential", faults);
        if own.get("credential").is_none() {
            let detail = "is missing: a secret is kept as a credential, and named here";
            faults.add(own.pointer("credential"), detail);
        }
        let username = match scheme {
            Some("basic") => own.required_line("username", MAX_USER_BYTES, faults).map(str::to_owned),
            _ => None,
        };
        if username.as_ref().is_some_and(|user| user.contains(':')) {
            faults.add(own.pointer("username"), "must not hold a colon, which ends it");
        }
        own.finish(faults);
        Some(Self {
            scheme: scheme?.to_owned(),
            credential: credential?,
            username,
        })
    }

    /// Returns the kinds of credentials that its scheme takes.
    #[must_use]
    pub fn kinds(&self) -> &'static [CredentialKind] {
        let known = SCHEMES.iter().find(|(name, _)| *name == self.scheme);
        known.map(|(_, kinds)| *kinds).unwrap_or_default()
    }
}
