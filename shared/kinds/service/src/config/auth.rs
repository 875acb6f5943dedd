//! How a call over HTTP shows who sends it.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::credential::{CredentialKind, CredentialRef};
use serde::{Deserialize, Serialize};

use super::schemes::{AwsAuth, HmacAuth, OauthAuth, credential};

const MAX_USER_BYTES: usize = 255;
/// The words for schemes. `none` undoes what the service says.
const SCHEMES: [&str; 8] = [
    "none",
    "basic",
    "bearer",
    "header",
    "hmac",
    "oauth2_client_credentials",
    "aws_sigv4",
    "mtls",
];

/// How a call shows who sends it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// A user and a password, as in RFC 7617.
    Basic {
        /// The password.
        credential: CredentialRef,
        /// The user.
        username: String,
    },
    /// A token, as in RFC 6750.
    Bearer {
        /// The token.
        credential: CredentialRef,
    },
    /// A header that the credential names.
    Header {
        /// The header's name and value.
        credential: CredentialRef,
    },
    /// A signature of the body.
    Hmac(HmacAuth),
    /// A token that a token endpoint gives for a client's id and secret, as in RFC 6749, section 4.4.
    Oauth2ClientCredentials(OauthAuth),
    /// A signature of AWS, version 4.
    AwsSigv4(AwsAuth),
    /// A certificate that TLS shows to the service.
    Mtls {
        /// The certificate with its key.
        credential: CredentialRef,
    },
}

impl Auth {
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let pointer = fields.pointer("auth");
        let mut own = Fields::of(fields.get("auth")?, &pointer, faults)?;
        let auth = match own.variant("type", &SCHEMES, faults)? {
            "none" => None,
            "basic" => basic(&mut own, faults),
            "bearer" => credential(&mut own, faults).map(|credential| Self::Bearer { credential }),
            "header" => credential(&mut own, faults).map(|credential| Self::Header { credential }),
            "hmac" => HmacAuth::read(&mut own, faults).map(Self::Hmac),
            "oauth2_client_credentials" => OauthAuth::read(&mut own, faults).map(Self::Oauth2ClientCredentials),
            "aws_sigv4" => AwsAuth::read(&mut own, faults).map(Self::AwsSigv4),
            _ => credential(&mut own, faults).map(|credential| Self::Mtls { credential }),
        };
        own.finish(faults);
        auth
    }

    /// Returns the secret; `None` if the worker shows its own identity.
    #[must_use]
    pub fn credential(&self) -> Option<&CredentialRef> {
        match self {
            Self::Basic { credential, .. }
            | Self::Bearer { credential }
            | Self::Header { credential }
            | Self::Mtls { credential } => Some(credential),
            Self::Hmac(hmac) => Some(&hmac.credential),
            Self::Oauth2ClientCredentials(oauth) => Some(&oauth.credential),
            Self::AwsSigv4(aws) => aws.credential.as_ref(),
        }
    }

    /// Returns the kinds of credentials that its scheme takes.
    #[must_use]
    pub fn kinds(&self) -> &'static [CredentialKind] {
        match self {
            Self::Basic { .. } | Self::Oauth2ClientCredentials(_) => &[CredentialKind::Password],
            Self::Bearer { .. } => &[CredentialKind::Bearer],
            Self::Header { .. } => &[CredentialKind::Header],
            Self::Hmac(_) => &[CredentialKind::Password, CredentialKind::Bearer],
            Self::AwsSigv4(_) => &[CredentialKind::Cloud],
            Self::Mtls { .. } => &[CredentialKind::ClientCertificate],
        }
    }

    /// Returns the headers that it sets and whose names the operator chooses, with the fields that name them.
    pub(super) fn named_headers(&self) -> Vec<(&'static str, &str)> {
        let Self::Hmac(hmac) = self else { return Vec::new() };
        let mut headers = vec![("header", hmac.header.as_str())];
        headers.extend(
            hmac.timestamp_header
                .iter()
                .map(|name| ("timestamp_header", name.as_str())),
        );
        headers
    }

    /// Returns the fields, besides the service's address, that have an address to which the secret is sent.
    pub(super) fn addresses(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Oauth2ClientCredentials(oauth) => vec![("token_url", oauth.token_url.as_str())],
            _ => Vec::new(),
        }
    }
}

fn basic(own: &mut Fields<'_>, faults: &mut Faults) -> Option<Auth> {
    let credential = credential(own, faults);
    let username = own.required_line("username", MAX_USER_BYTES, faults);
    if username.is_some_and(|user| user.contains(':')) {
        faults.add(own.pointer("username"), "must not hold a colon, which ends it");
    }
    Some(Auth::Basic {
        username: username?.to_owned(),
        credential: credential?,
    })
}
