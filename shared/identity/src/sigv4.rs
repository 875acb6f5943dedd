//! Signatures of version 4.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign as make,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use callboard_core::base::store_error::BoxError;
use callboard_core::credential::AwsKeys;
use http::Request;

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The keys cannot be put in a header.
    #[error("the access key's id and the session token must be printable ASCII without blanks")]
    Keys,
    /// The signer refuses the request.
    #[error("the request cannot be signed")]
    Request(#[source] BoxError),
}

/// Signs a request: its method, address, headers and body, the host and the time. Whatever of these changes, the request must be
/// signed anew.
///
/// # Errors
/// The keys or the request cannot be signed with.
pub fn sign(request: &mut Request<Vec<u8>>, service: &str, region: &str, keys: &AwsKeys) -> Result<(), SignError> {
    check(keys)?;
    let identity = identity(keys);
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(settings(service))
        .build()
        .map_err(|error| SignError::Request(error.into()))?;
    let uri = request.uri().to_string();
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(
        request.method().as_str(),
        uri,
        headers,
        SignableBody::Bytes(request.body()),
    );
    let signed = signable.and_then(|signable| make(signable, &params.into()));
    let (instructions, _signature) = signed.map_err(|error| SignError::Request(error.into()))?.into_parts();
    instructions.apply_to_request_http1x(request);
    Ok(())
}

/// Returns how a service reads signatures. S3 alone takes paths as they are, and wants the body's hash in a header.
fn settings(service: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// Refuses keys that cannot be put in a header; the signer would panic.
fn check(keys: &AwsKeys) -> Result<(), SignError> {
    let token = keys.session_token.as_ref().map_or("", |token| token.expose());
    let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if printable(&keys.access_key_id) && printable(token) {
        return Ok(());
    }
    Err(SignError::Keys)
}

fn identity(keys: &AwsKeys) -> Identity {
    let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
    let secret = keys.secret_access_key.expose();
    Credentials::new(keys.access_key_id.clone(), secret, token, None, "callboard").into()
}
