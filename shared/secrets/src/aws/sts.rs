//! Roles and identities: the Security Token Service.

use callboard_core::base::secret::Secret;
use callboard_core::credential::AwsKeys;
use callboard_identity::{Endpoints, sign};
use http::{HeaderName, HeaderValue, Request};
use roxmltree::Document;
use url::form_urlencoded::Serializer;

use super::answer::element;
use super::{Aws, Call, DEFAULT_REGION, FORM, Service};
use crate::fault::Fault;

/// In seconds; the maximum for a role that is assumed with another role's keys.
const DURATION: &str = "3600";
const VERSION: (&str, &str) = ("Version", "2011-06-15");

/// A role to assume.
pub(crate) struct Role<'a> {
    pub(crate) arn: &'a str,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) session: &'a str,
}

impl Aws {
    /// Assumes a role for an hour; returns its keys, without a region.
    pub(crate) async fn assume(&self, role: &Role<'_>, region: &str, keys: &AwsKeys) -> Result<AwsKeys, Fault> {
        let external_id = role.external_id.map(|id| ("ExternalId", id));
        let named = [("RoleArn", role.arn), ("RoleSessionName", role.session)];
        let parameters = [("Action", "AssumeRole"), VERSION, ("DurationSeconds", DURATION)];
        let call = Call {
            service: Service::Sts,
            region,
            headers: &[FORM],
            body: form(parameters.into_iter().chain(named).chain(external_id)),
        };
        let answer = self.send(call, keys).await?;
        read(answer.body()).ok_or_else(|| Fault::new("AWS answered without keys"))
    }
}

fn form<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let form = Serializer::new(String::new()).extend_pairs(parameters).finish();
    form.into_bytes()
}

fn read(body: &[u8]) -> Option<AwsKeys> {
    let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    Some(AwsKeys {
        access_key_id: element(&document, "AccessKeyId")?,
        secret_access_key: Secret::new(element(&document, "SecretAccessKey")?),
        session_token: Some(Secret::new(element(&document, "SessionToken")?)),
        region: None,
    })
}

/// Makes a signed request that asks AWS who the caller is. Another service can send it to AWS to learn the caller's
/// identity; this program never sends it. Without a region it is for AWS's global endpoint, as HashiCorp Vault expects.
pub(crate) fn caller_identity(
    region: Option<&str>,
    header: Option<(HeaderName, HeaderValue)>,
    keys: &AwsKeys,
) -> Result<Request<Vec<u8>>, Fault> {
    let url = match region {
        Some(region) => Endpoints::usual(Service::Sts.name(), region),
        None => "https://sts.amazonaws.com/".to_owned(),
    };
    let mut request = Request::new(form([("Action", "GetCallerIdentity"), VERSION]));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = url.parse().map_err(|_| Fault::new("the region is not valid"))?;
    request.headers_mut().insert(FORM.0, HeaderValue::from_static(FORM.1));
    request.headers_mut().extend(header);
    sign(
        &mut request,
        Service::Sts.name(),
        region.unwrap_or(DEFAULT_REGION),
        keys,
    )?;
    Ok(request)
}
