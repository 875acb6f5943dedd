//! Calls to Vault.

use callboard_core::base::secret::Secret;
use callboard_core::credential::VaultAccess;
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use url::Url;

use crate::call::{Caller, is_busy};
use crate::fault::Fault;

/// A Vault, and the access and token to use with it.
pub(super) struct Vault<'a> {
    caller: &'a Caller,
    access: &'a VaultAccess,
    token: Option<&'a Secret>,
}

/// Vault's answer to a call.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl<'a> Vault<'a> {
    pub(super) fn new(caller: &'a Caller, access: &'a VaultAccess) -> Self {
        Self {
            caller,
            access,
            token: None,
        }
    }

    /// Returns the same Vault, to be called with a token.
    pub(super) fn with(self, token: &'a Secret) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Fault> {
        self.call(Method::GET, path, Vec::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, Fault> {
        self.call(Method::POST, path, body.to_string().into_bytes()).await
    }

    /// Revokes the token; if that fails, the token expires by itself.
    pub(super) async fn revoke(&self) {
        let _best_effort = self.call(Method::POST, "auth/token/revoke-self", Vec::new()).await;
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Fault> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        let url = self.url(path)?;
        *request.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|_| Fault::new("the address of Vault is not valid"))?;
        let headers = request.headers_mut();
        headers.insert("X-Vault-Request", HeaderValue::from_static("true"));
        if let Some(namespace) = &self.access.namespace {
            headers.insert("X-Vault-Namespace", value(namespace, "the namespace")?);
        }
        if let Some(token) = self.token {
            headers.insert("X-Vault-Token", value(token.expose(), "the token")?);
        }
        let answer = self.caller.call(request, is_busy).await?;
        Ok(Answer {
            status: answer.status().as_u16(),
            body: serde_json::from_slice(answer.body()).unwrap_or_default(),
        })
    }

    fn url(&self, path: &str) -> Result<Url, Fault> {
        let invalid = || Fault::new("the address of Vault is not valid");
        let mut url = Url::parse(&self.access.url).map_err(|_| invalid())?;
        let mut segments = url.path_segments_mut().map_err(|()| invalid())?;
        segments.pop_if_empty().push("v1").extend(path.split('/'));
        drop(segments);
        Ok(url)
    }
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Makes the fault for an answer that is not a success; Vault's own message is for the log.
    pub(super) fn fault(&self, what: &str) -> Fault {
        let what = format!("{what} (status {})", self.status);
        let errors = self.body.get("errors").and_then(Value::as_array);
        let told: Vec<_> = errors.into_iter().flatten().filter_map(Value::as_str).collect();
        if told.is_empty() {
            return Fault::new(what);
        }
        Fault::caused(what, told.join("; "))
    }
}

fn value(text: &str, what: &str) -> Result<HeaderValue, Fault> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| Fault::new(format!("{what} cannot be sent in a header")))?;
    value.set_sensitive(true);
    Ok(value)
}
