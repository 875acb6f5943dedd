//! Shows a service who sends a request: each request anew, so that also what follows a redirect is signed for its own address.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_core::base::causes::causes;
use callboard_core::base::hex::hex;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, Credential};
use callboard_identity::sign;
use callboard_kind_service::config::{Auth, AwsAuth, HmacAlgorithm, HmacAuth, is_own_header};
use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Request};
use sha2::{Sha256, Sha512};

use crate::oauth::Oauth;

/// What is added to each request.
pub(crate) enum Authorizer<'a> {
    /// Nothing, or what the connection shows.
    Nothing,
    Header(HeaderName, HeaderValue),
    Hmac(&'a HmacAuth, Secret),
    Oauth(Oauth<'a>),
    Aws(&'a AwsAuth, AwsKeys),
}

impl<'a> Authorizer<'a> {
    /// Makes it of a credential alone.
    ///
    /// # Errors
    /// The credential cannot be sent so.
    pub(crate) fn of(auth: &'a Auth, credential: &Credential) -> Result<Self, String> {
        let (name, value) = match (auth, credential) {
            (Auth::Mtls { .. }, Credential::ClientCertificate(_)) => return Ok(Self::Nothing),
            (Auth::Hmac(hmac), Credential::Password { password: key } | Credential::Bearer { token: key, .. }) => {
                return Ok(Self::Hmac(hmac, key.clone()));
            }
            (Auth::Bearer { .. }, Credential::Bearer { token, .. }) => (AUTHORIZATION, bearer(token)?),
            (Auth::Basic { username, .. }, Credential::Password { password }) => {
                let pair = STANDARD.encode(format!("{username}:{}", password.expose()));
                (AUTHORIZATION, secret_value("Authorization", &format!("Basic {pair}"))?)
            }
            (Auth::Header { .. }, Credential::Header { header, .. }) if is_own_header(header) => {
                return Err(format!(
                    "the credential sets the header {header}, which is not a credential's to set"
                ));
            }
            (Auth::Header { .. }, Credential::Header { header, value, .. }) => {
                let name = HeaderName::try_from(header).map_err(|_| format!("{header:?} is no name of a header"))?;
                (name, secret_value(header, value.expose())?)
            }
            _ => {
                let kind = credential.kind();
                return Err(format!("a credential of kind {kind} does not fit the scheme of auth"));
            }
        };
        Ok(Self::Header(name, value))
    }

    /// Adds to a request, which must not change any more, what shows who sends it.
    ///
    /// # Errors
    /// It cannot be put into a header, or not be signed.
    pub(crate) fn apply(&self, request: &mut Request<Vec<u8>>) -> Result<(), String> {
        match self {
            Self::Nothing => Ok(()),
            Self::Header(name, value) => {
                request.headers_mut().insert(name, value.clone());
                Ok(())
            }
            Self::Hmac(hmac, key) => signed(hmac, key, request),
            Self::Oauth(oauth) => {
                let value = bearer(&oauth.token())?;
                request.headers_mut().insert(AUTHORIZATION, value);
                Ok(())
            }
            Self::Aws(aws, keys) => {
                sign(request, &aws.service, &aws.region, keys).map_err(|error| causes(&error).to_string())
            }
        }
    }

    /// Gets something else to show after the service has refused it; `None` if there is nothing else.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(crate) async fn renew(&self) -> Result<Option<Secret>, String> {
        match self {
            Self::Oauth(oauth) => oauth.renew().await,
            _ => Ok(None),
        }
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, String> {
    secret_value("Authorization", &format!("Bearer {}", token.expose()))
}

fn secret_value(name: &str, text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| format!("the value of the header {name} has a character that no header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Adds an HMAC of the body; see [`HmacAuth`] for what is signed.
fn signed(hmac: &HmacAuth, key: &Secret, request: &mut Request<Vec<u8>>) -> Result<(), String> {
    let time = hmac.timestamp_header.as_ref().map(|name| (name, seconds()));
    let mut text = time
        .as_ref()
        .map(|(_, seconds)| format!("{seconds}.").into_bytes())
        .unwrap_or_default();
    text.extend_from_slice(request.body());
    let key = key.expose().as_bytes();
    let digits = match hmac.algorithm {
        HmacAlgorithm::Sha256 => {
            Hmac::<Sha256>::new_from_slice(key).map(|mac| hex(&mac.chain_update(&text).finalize().into_bytes()))
        }
        HmacAlgorithm::Sha512 => {
            Hmac::<Sha512>::new_from_slice(key).map(|mac| hex(&mac.chain_update(&text).finalize().into_bytes()))
        }
    };
    let digits = digits.map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    if let Some((name, seconds)) = time {
        insert(headers, name, &seconds)?;
    }
    insert(headers, &hmac.header, &format!("{}{digits}", hmac.prefix))
}

fn seconds() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().to_string()
}

/// Sets a header.
///
/// # Errors
/// A sentence that says what of it is none.
pub(crate) fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let header = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no name of a header"))?;
    let value = HeaderValue::from_str(value)
        .map_err(|_| format!("the value of the header {name} has a character that no header may have"))?;
    headers.insert(header, value);
    Ok(())
}
