//! Logging in to HashiCorp Vault.

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use serde_json::{Value, json};

use crate::proxy::{Asked, Proxy};
use crate::servers::{Vault, client, required, unique};
use crate::{Deployment, in_vault, password, refusal};

fn text<'a>(value: &'a Value, pointer: &str) -> anyhow::Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("no {pointer} in {value}"))
}

/// Returns the token that was sent with the last call, after which it must be worth nothing.
async fn revoked(vault: &Vault, asked: &[Asked]) -> anyhow::Result<()> {
    let last = asked.last().context("nothing was asked")?;
    assert_eq!(
        (last.method.as_str(), last.path.as_str()),
        ("POST", "/v1/auth/token/revoke-self")
    );
    let token = last.headers.get("x-vault-token").context("no token")?.to_str()?;
    let (status, _) = vault
        .ask_with(token, "GET", "auth/token/lookup-self", &Value::Null)
        .await?;
    assert_eq!(status, 403);
    Ok(())
}

#[tokio::test]
async fn a_login_by_approle_in_a_namespace_is_given_back_when_the_secret_is_read() -> anyhow::Result<()> {
    let (vault, namespace) = Vault::new()?.namespace().await?;
    let (mount, auth) = (vault.mount("kv", "2").await?, unique("approle"));
    vault
        .ask(
            "POST",
            &format!("{mount}/data/db"),
            &json!({"data": {"password": "hunter22"}}),
        )
        .await?;
    let policy = format!("path \"{mount}/data/*\" {{ capabilities = [\"read\"] }}");
    vault
        .ask("POST", "sys/policies/acl/reader", &json!({"policy": policy}))
        .await?;
    vault
        .ask("POST", &format!("sys/auth/{auth}"), &json!({"type": "approle"}))
        .await?;
    let role = format!("auth/{auth}/role/callboard");
    vault.ask("POST", &role, &json!({"token_policies": ["reader"]})).await?;
    let role_id = vault.ask("GET", &format!("{role}/role-id"), &Value::Null).await?;
    let secret_id = vault.ask("POST", &format!("{role}/secret-id"), &json!({})).await?;

    let proxy = Proxy::start(&vault.url, |_, _| None).await?;
    let access = |secret_id: &str| -> anyhow::Result<Value> {
        Ok(json!({
            "kind": "hashicorp_vault", "url": proxy.url, "namespace": namespace, "mount": auth,
            "role_id": text(&role_id, "/data/role_id")?, "secret_id": secret_id,
        }))
    };
    let right = access(text(&secret_id, "/data/secret_id")?)?;
    let resolver = Deployment::default().with("hashicorp-vault", &right)?.resolver()?;
    let read = in_vault(&format!("{mount}/db"), None);
    assert_eq!(password(&resolver, &read).await?, "hunter22");
    revoked(&vault, &proxy.asked()).await?;
    refusal(&resolver, &in_vault(&format!("{mount}/nothing"), None)).await?;
    revoked(&vault, &proxy.asked()).await?;

    let wrong = access("not-the-secret-id")?;
    let resolver = Deployment::default().with("hashicorp-vault", &wrong)?.resolver()?;
    let refused = refusal(&resolver, &read).await?;
    let why = format!("could not be read: Vault refuses the login at {auth:?} (status 400).");
    assert!(refused.ends_with(&why), "{refused}");
    assert!(!refused.contains("not-the-secret-id"), "{refused}");
    Ok(())
}

/// OpenBao has no login by AWS's identities any more. So its shape is checked here, and what was signed is put to emulated AWS
/// as Vault would.
#[tokio::test]
async fn a_login_with_aws_identity_is_a_signed_question_of_who_asks() -> anyhow::Result<()> {
    let vault = Vault::new()?;
    let mount = vault.mount("kv", "1").await?;
    vault
        .ask("POST", &format!("{mount}/db"), &json!({"password": "hunter22"}))
        .await?;
    let policy = format!("path \"{mount}/*\" {{ capabilities = [\"read\"] }}");
    let answer = json!({"auth": {"client_token": vault.token(&policy).await?}}).to_string();
    let proxy = Proxy::start(&vault.url, move |asked, _| {
        (asked.path == "/v1/auth/cloud/login").then(|| (200, answer.clone()))
    })
    .await?;
    let access = json!({
        "kind": "hashicorp_vault", "url": proxy.url, "role": "worker", "mount": "cloud", "server_id": "vault.example.com",
    });
    let deployment = |policy: Value| {
        let deployment = Deployment {
            policy,
            ..Deployment::default()
        };
        deployment.with("hashicorp-vault", &access)?.resolver()
    };
    let read = in_vault(&format!("{mount}/db"), None);
    let refused = refusal(&deployment(Value::Null)?, &read).await?;
    assert!(
        refused.contains(&format!("adding \"hashicorp_vault:{}\" to \"secrets\"", proxy.url)),
        "{refused}"
    );
    assert_eq!(proxy.asked().len(), 0);

    let resolver = deployment(json!({"secrets": [format!("hashicorp_vault:{}", proxy.url)]}))?;
    assert_eq!(password(&resolver, &read).await?, "hunter22");
    let asked = proxy.asked();
    check_login(&serde_json::from_slice(
        &asked.first().context("nothing was asked")?.body,
    )?)
    .await?;
    revoked(&vault, &asked).await
}

async fn check_login(login: &Value) -> anyhow::Result<()> {
    assert_eq!(
        (text(login, "/role")?, text(login, "/iam_http_request_method")?),
        ("worker", "POST")
    );
    let decoded =
        |pointer: &str| -> anyhow::Result<String> { Ok(String::from_utf8(STANDARD.decode(text(login, pointer)?)?)?) };
    assert_eq!(decoded("/iam_request_url")?, "https://sts.amazonaws.com/");
    let body = decoded("/iam_request_body")?;
    assert_eq!(body, "Action=GetCallerIdentity&Version=2011-06-15");
    let headers: Value = serde_json::from_str(&decoded("/iam_request_headers")?)?;
    assert_eq!(text(&headers, "/host/0")?, "sts.amazonaws.com");
    assert_eq!(text(&headers, "/x-vault-aws-iam-server-id/0")?, "vault.example.com");
    let signature = text(&headers, "/authorization/0")?;
    ensure!(signature.contains("/us-east-1/sts/aws4_request"), "{signature}");
    ensure!(
        signature.contains("SignedHeaders=content-type;host;x-amz-date;x-vault-aws-iam-server-id"),
        "{signature}"
    );
    let mut question = Request::post(required("AWS_ENDPOINT_URL")?);
    for (name, values) in headers.as_object().context("no headers")? {
        if name != "host" {
            question = question.header(name, text(values, "/0")?);
        }
    }
    let answer = client()?.send(question.body(body.into_bytes())?).await?;
    let told = String::from_utf8_lossy(answer.body()).into_owned();
    ensure!(
        answer.status().is_success() && told.contains("<Arn>arn:aws:iam::"),
        "{told}"
    );
    Ok(())
}
