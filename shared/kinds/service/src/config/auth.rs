//! How a call over HTTP shows who sends it.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::web_address::WebAddress;
use callboard_core::credential::{CredentialKind, CredentialRef};
use serde::{Deserialize, Serialize};

const MAX_URL_BYTES: usize = 2048;

/// A scheme of `auth`.
struct Scheme {
    name: &'static str,
    kinds: &'static [CredentialKind],
    needs: &'static [&'static str],
    takes: &'static [&'static str],
}

const SCHEMES: [Scheme; 6] = [
    Scheme {
        name: "basic",
        kinds: &[CredentialKind::Password],
        needs: &["username"],
        takes: &[],
    },
    Scheme {
        name: "bearer",
        kinds: &[CredentialKind::Bearer],
        needs: &[],
        takes: &[],
    },
    Scheme {
        name: "header",
        kinds: &[CredentialKind::Header],
        needs: &[],
        takes: &[],
    },
    Scheme {
        name: "hmac",
        kinds: &[CredentialKind::Bearer],
        needs: &["header"],
        takes: &[],
    },
    Scheme {
        name: "oauth2_client_credentials",
        kinds: &[CredentialKind::Password],
        needs: &["token_url", "client_id"],
        takes: &["scope"],
    },
    Scheme {
        name: "aws_sigv4",
        kinds: &[CredentialKind::Cloud],
        needs: &["service"],
        takes: &["region"],
    },
];

/// How a call shows who sends it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Auth {
    /// The scheme.
    #[serde(rename = "type")]
    pub scheme: String,
    /// The secret.
    pub credential: CredentialRef,
    /// The user of the scheme `basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The client of the scheme `oauth2_client_credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Where the scheme `oauth2_client_credentials` gets its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
    /// The scope that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The header that has the signature of the scheme `hmac`: the SHA-256 HMAC of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The AWS service of the scheme `aws_sigv4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl Auth {
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let pointer = fields.pointer("auth");
        let mut own = Fields::of(fields.get("auth")?, &pointer, faults)?;
        let scheme = own.variant("type", &SCHEMES.map(|scheme| scheme.name), faults);
        let scheme = SCHEMES.iter().find(|known| Some(known.name) == scheme);
        let credential = CredentialRef::field(&mut own, "credential", faults);
        if own.get("credential").is_none() {
            faults.add(
                own.pointer("credential"),
                "is missing: a secret is kept as a credential, and named here",
            );
        }
        let mut line = |name: &'static str| {
            let scheme = scheme?;
            let text = match (scheme.needs.contains(&name), scheme.takes.contains(&name)) {
                (true, _) => own.required_line(name, MAX_URL_BYTES, faults),
                (false, true) => own.line(name, MAX_URL_BYTES, faults),
                (false, false) => None,
            };
            text.map(str::to_owned)
        };
        let lines = [
            line("username"),
            line("client_id"),
            line("token_url"),
            line("scope"),
            line("header"),
        ];
        let more = [line("service"), line("region")];
        let ([username, client_id, token_url, scope, header], [service, region]) = (lines, more);
        if let Some(Err(wrong)) = token_url.as_deref().map(WebAddress::parse) {
            faults.add(own.pointer("token_url"), wrong);
        }
        own.finish(faults);
        Some(Self {
            scheme: scheme?.name.to_owned(),
            credential: credential?,
            username,
            client_id,
            token_url,
            scope,
            header,
            service,
            region,
        })
    }

    /// Returns the kinds of credentials that its scheme takes.
    pub(super) fn kinds(&self) -> &'static [CredentialKind] {
        let scheme = SCHEMES.iter().find(|known| known.name == self.scheme);
        scheme.map(|scheme| scheme.kinds).unwrap_or_default()
    }
}
