//! The schemes of authentication that have more to say than which secret.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::web_address::WebAddress;
use callboard_core::credential::CredentialRef;
use serde::{Deserialize, Serialize};

use super::places::{aws_name, choice};

const MAX_BYTES: usize = 2048;

/// A signature of the body: `PREFIX` and the lower-case hexadecimal digits of its HMAC.
///
/// The key is the credential's text, in UTF-8. Signed is the body as it is sent, byte by byte; with `timestamp_header`, it is the
/// header's value, a full stop and the body. Each request is signed by itself, with its own time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HmacAuth {
    /// The key.
    pub credential: CredentialRef,
    /// The header that has the signature.
    pub header: String,
    /// The hash function.
    pub algorithm: HmacAlgorithm,
    /// The header that has the time, in seconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// What the signature's digits follow, such as `sha256=`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// The hash function of an HMAC.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HmacAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The grant of client credentials, as in RFC 6749, section 4.4.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OauthAuth {
    /// The client's secret.
    pub credential: CredentialRef,
    /// The client's id.
    pub client_id: String,
    /// The token endpoint.
    pub token_url: String,
    /// The scope that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The audience that is asked for, which some servers need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Where the client's id and secret go.
    pub client_auth: ClientAuth,
}

/// Where a client's id and secret go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Into the header `Authorization`.
    Basic,
    /// Into the body, as `client_id` and `client_secret`.
    Body,
}

/// A signature of AWS, version 4.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AwsAuth {
    /// The keys, or a role. Default: the worker's own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialRef>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The service's name in signatures, such as `execute-api`.
    pub service: String,
}

impl HmacAuth {
    pub(super) fn read(own: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let credential = credential(own, faults);
        let header = own
            .line("header", MAX_BYTES, faults)
            .unwrap_or("X-Signature")
            .to_owned();
        let algorithm = match choice(own, "algorithm", &["sha256", "sha512"], "sha256", faults) {
            "sha512" => HmacAlgorithm::Sha512,
            _ => HmacAlgorithm::Sha256,
        };
        let prefix = own.line("prefix", MAX_BYTES, faults).unwrap_or_default().to_owned();
        if !prefix.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            faults.add(own.pointer("prefix"), "must be printable ASCII: it goes into a header");
        }
        Some(Self {
            timestamp_header: own.line("timestamp_header", MAX_BYTES, faults).map(str::to_owned),
            credential: credential?,
            header,
            algorithm,
            prefix,
        })
    }
}

impl OauthAuth {
    pub(super) fn read(own: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let credential = credential(own, faults);
        let client_id = own.required_line("client_id", MAX_BYTES, faults);
        let token_url = own.required_line("token_url", MAX_BYTES, faults);
        if let Some(Err(wrong)) = token_url.map(WebAddress::parse) {
            faults.add(own.pointer("token_url"), wrong);
        }
        if token_url.is_some_and(|url| url.contains('#')) {
            faults.add(own.pointer("token_url"), "must have no fragment");
        }
        let client_auth = match choice(own, "client_auth", &["basic", "body"], "basic", faults) {
            "body" => ClientAuth::Body,
            _ => ClientAuth::Basic,
        };
        Some(Self {
            scope: own.line("scope", MAX_BYTES, faults).map(str::to_owned),
            audience: own.line("audience", MAX_BYTES, faults).map(str::to_owned),
            credential: credential?,
            client_id: client_id?.to_owned(),
            token_url: token_url?.to_owned(),
            client_auth,
        })
    }
}

impl AwsAuth {
    pub(super) fn read(own: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let credential = CredentialRef::field(own, "credential", faults);
        for name in ["region", "service"] {
            if own.get(name).is_none() {
                faults.add(own.pointer(name), "is missing: signatures hold it");
            }
        }
        let region = aws_name(own, "region", faults);
        let service = aws_name(own, "service", faults);
        Some(Self {
            credential,
            region: region?,
            service: service?,
        })
    }
}

/// Reads the name of a secret, without which there is none.
pub(super) fn credential(own: &mut Fields<'_>, faults: &mut Faults) -> Option<CredentialRef> {
    if own.get("credential").is_none() {
        let detail = "is missing: a secret is kept as a credential, and named here";
        faults.add(own.pointer("credential"), detail);
    }
    CredentialRef::field(own, "credential", faults)
}
