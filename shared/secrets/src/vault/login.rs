//! Logs in to Vault.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_core::base::id::Tenant;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, VaultAccess, VaultAuth};
use http::{HeaderName, HeaderValue, Request};
use serde_json::{Map, Value, json};

use super::api::{Answer, Vault};
use crate::aws::caller_identity;
use crate::fault::Fault;
use crate::resolver::Resolver;

/// The session name of a role that is assumed for a login.
const SESSION: &str = "callboard-vault";
const SERVER_ID: HeaderName = HeaderName::from_static("x-vault-aws-iam-server-id");

/// The result of a login.
pub(super) struct Login {
    pub(super) token: Secret,
    /// Whether the token was made for this login, so that nobody else has it.
    pub(super) is_temporary: bool,
}

impl Resolver {
    /// Logs in with the credential's method.
    pub(super) async fn log_in(
        &self,
        tenant: &Tenant,
        vault: &Vault<'_>,
        access: &VaultAccess,
    ) -> Result<Login, Fault> {
        let (mount, body) = match &access.auth {
            VaultAuth::Token { token } => {
                return Ok(Login {
                    token: token.clone(),
                    is_temporary: false,
                });
            }
            VaultAuth::Approle {
                role_id,
                secret_id,
                mount,
            } => {
                let body = json!({"role_id": role_id, "secret_id": secret_id.expose()});
                (mount.as_deref().unwrap_or("approle"), body)
            }
            VaultAuth::AwsIam {
                role,
                mount,
                server_id,
                cloud_credential,
            } => {
                let keys = self.keys_to_log_in(tenant, access, cloud_credential.as_deref()).await?;
                let region = keys.region.as_deref().filter(|_| cloud_credential.is_some());
                let question = caller_identity(region, server(server_id.as_deref())?, &keys)?;
                (mount.as_deref().unwrap_or("aws"), iam(role, &question))
            }
        };
        let answer = vault
            .post(&format!("auth/{}/login", mount.trim_matches('/')), &body)
            .await?;
        token(&answer, mount)
    }

    /// Returns the keys for a login with an AWS identity. A Vault that receives the worker's own signed request can
    /// pose as the worker at other Vaults, so the request goes only to Vaults that the policy lists.
    async fn keys_to_log_in(
        &self,
        tenant: &Tenant,
        access: &VaultAccess,
        credential: Option<&str>,
    ) -> Result<AwsKeys, Fault> {
        match credential {
            Some(name) => self.keys_of_stored(tenant, name, SESSION).await,
            None => {
                self.own_keys_for_secret(&format!("hashicorp_vault:{}", access.url))
                    .await
            }
        }
    }
}

fn server(id: Option<&str>) -> Result<Option<(HeaderName, HeaderValue)>, Fault> {
    let value = id.map(HeaderValue::from_str).transpose();
    let value = value.map_err(|_| Fault::new("the server_id cannot be sent in a header"))?;
    Ok(value.map(|value| (SERVER_ID, value)))
}

/// Makes the body of a login from a signed request.
fn iam(role: &str, question: &Request<Vec<u8>>) -> Value {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), json!([value]))
    };
    let mut headers: Map<String, Value> = question.headers().iter().map(header).collect();
    headers.insert("host".to_owned(), json!([question.uri().host()]));
    json!({
        "role": role,
        "iam_http_request_method": question.method().as_str(),
        "iam_request_url": STANDARD.encode(question.uri().to_string()),
        "iam_request_body": STANDARD.encode(question.body()),
        "iam_request_headers": STANDARD.encode(Value::Object(headers).to_string()),
    })
}

fn token(answer: &Answer, mount: &str) -> Result<Login, Fault> {
    let token = answer.body.pointer("/auth/client_token").and_then(Value::as_str);
    match token.filter(|token| answer.is_success() && !token.is_empty()) {
        Some(token) => Ok(Login {
            token: Secret::new(token),
            is_temporary: true,
        }),
        // Vault's message is left out: about a signature it repeats what was signed, including the token
        None => Err(Fault::new(format!(
            "Vault refuses the login at {mount:?} (status {})",
            answer.status
        ))),
    }
}
