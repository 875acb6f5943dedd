//! The servers that the tests are given, and what they are made to hold.

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_http::{Client, Limits};
use http::Request;
use serde_json::{Value, json};

const HOW: &str = "run `make test`, or `make emulators` and export what it prints";

/// Returns a variable that leads to a server.
pub(crate) fn required(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("the variable {name} is not set: {HOW}"))
}

/// Returns a name that nothing else has.
pub(crate) fn unique(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{count}", std::process::id())
}

/// Returns a client for the servers.
pub(crate) fn client() -> anyhow::Result<Client> {
    Ok(Client::new(Limits {
        max_bytes: 1024 * 1024,
        timeout: Duration::from_secs(60),
    })?)
}

/// A server of Vault's API, asked with its root token.
pub(crate) struct Vault {
    pub(crate) url: String,
    pub(crate) root: String,
    namespace: String,
}

impl Vault {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            url: required("CALLBOARD_TEST_VAULT")?,
            root: required("CALLBOARD_TEST_VAULT_TOKEN")?,
            namespace: String::new(),
        })
    }

    /// Makes a namespace, and returns the server as it is in there.
    pub(crate) async fn namespace(self) -> anyhow::Result<(Self, String)> {
        let namespace = unique("team");
        self.ask("POST", &format!("sys/namespaces/{namespace}"), &json!({}))
            .await?;
        let inner = Self {
            namespace: namespace.clone(),
            ..self
        };
        Ok((inner, namespace))
    }

    /// Asks for something that must succeed.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, answer) = self.ask_with(&self.root, method, path, body).await?;
        ensure!((200..300).contains(&status), "{path}: {status} {answer}");
        Ok(answer)
    }

    pub(crate) async fn ask_with(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.url))
            .header("X-Vault-Token", token)
            .header("X-Vault-Namespace", &self.namespace);
        let body = if method == "GET" {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let answer = client()?.send(request.body(body)?).await?;
        let read = serde_json::from_slice(answer.body()).unwrap_or_default();
        Ok((answer.status().as_u16(), read))
    }

    /// Mounts an engine of KV; returns where.
    pub(crate) async fn mount(&self, name: &str, version: &str) -> anyhow::Result<String> {
        let mount = unique(name);
        let body = json!({"type": "kv", "options": {"version": version}});
        self.ask("POST", &format!("sys/mounts/{mount}"), &body).await?;
        if version == "2" {
            // an engine of version 2 is set up in the background
            while self.ask("GET", &format!("{mount}/config"), &Value::Null).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(mount)
    }

    /// Makes a token that may do what a policy says.
    pub(crate) async fn token(&self, policy: &str) -> anyhow::Result<String> {
        let name = unique("policy");
        self.ask("POST", &format!("sys/policies/acl/{name}"), &json!({"policy": policy}))
            .await?;
        let body = json!({"policies": [name], "no_default_policy": true});
        let answer = self.ask("POST", "auth/token/create", &body).await?;
        let token = answer.pointer("/auth/client_token").and_then(Value::as_str);
        token.map(str::to_owned).context("no token")
    }
}

/// Calls emulated AWS in its JSON protocol; it wants to be told for whom, but does not check the signature.
pub(crate) async fn aws(target: &str, body: &Value) -> anyhow::Result<Value> {
    let service = if target.starts_with("AmazonSSM") {
        "ssm"
    } else {
        "secretsmanager"
    };
    let scope = format!("test/20260101/us-east-1/{service}/aws4_request");
    let request = Request::post(required("AWS_ENDPOINT_URL")?)
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("X-Amz-Target", target)
        .header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x"),
        );
    let answer = client()?.send(request.body(body.to_string().into_bytes())?).await?;
    let read = serde_json::from_slice(answer.body())?;
    ensure!(answer.status().is_success(), "{target}: {read}");
    Ok(read)
}
