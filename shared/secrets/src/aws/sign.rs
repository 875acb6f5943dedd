//! Signatures of version 4.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as make};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use callboard_core::base::store_error::BoxError;
use callboard_core::credential::AwsKeys;
use http::Request;

use super::Service;
use crate::fault::Fault;

/// Signs a request.
pub(super) fn sign(
    mut request: Request<Vec<u8>>,
    service: Service,
    region: &str,
    keys: &AwsKeys,
) -> Result<Request<Vec<u8>>, Fault> {
    check(keys)?;
    let identity = identity(keys);
    let unsigned = |error: BoxError| Fault::caused("the request cannot be signed", error);
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service.name())
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsigned(error.into()))?;
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
    let (instructions, _signature) = signed.map_err(|error| unsigned(error.into()))?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// Refuses keys that cannot be put in a header; the signer would panic.
fn check(keys: &AwsKeys) -> Result<(), Fault> {
    let token = keys.session_token.as_ref().map_or("", |token| token.expose());
    if [keys.access_key_id.as_str(), token]
        .into_iter()
        .all(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Ok(());
    }
    Err(Fault::new(
        "the access key's id and the session token must be printable ASCII without blanks",
    ))
}

fn identity(keys: &AwsKeys) -> Identity {
    let token = keys.session_token.as_ref().map(|token| token.expose().to_owned());
    let secret = keys.secret_access_key.expose();
    Credentials::new(keys.access_key_id.clone(), secret, token, None, "callboard").into()
}
