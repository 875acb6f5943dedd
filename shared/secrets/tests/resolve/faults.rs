//! What AWS answers when it cannot or will not.

use callboard_core::base::causes::causes;
use callboard_core::credential::CredentialKind;
use callboard_secrets::Endpoints;
use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::{Deployment, password, resolve};

const KEPT: &str = "a-secret";

fn deployment(proxy: &Proxy) -> anyhow::Result<callboard_secrets::Resolver> {
    let deployment = Deployment {
        policy: json!({"secrets": ["*"], "roles": ["*"]}),
        endpoints: Endpoints::at(proxy.url.clone()),
        ..Deployment::default()
    };
    let keys = json!({
        "kind": "cloud", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "k3y-of-the-test",
        "session_token": "t0ken-of-the-test",
    });
    let broken = json!({
        "kind": "cloud", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "k3y-of-the-test",
        "session_token": "t0ken\nof-the-test",
    });
    deployment.with("keys", &keys)?.with("broken", &broken)?.resolver()
}

fn kept(credential: &str) -> Value {
    json!({"type": "aws_secretsmanager", "secret_id": KEPT, "region": "us-east-1", "cloud_credential": credential})
}

fn error(code: &str, message: &str) -> String {
    json!({"__type": format!("com.amazonaws.secretsmanager#{code}"), "Message": message}).to_string()
}

/// Returns what a log would have of the answer.
async fn told(status: u16, body: String) -> anyhow::Result<(String, usize)> {
    let proxy = Proxy::start("http://127.0.0.1:1", move |_, _| Some((status, body.clone()))).await?;
    let found = resolve(&deployment(&proxy)?, &kept("keys"), CredentialKind::Password).await?;
    let told = found.err().map(|error| causes(&error).to_string()).unwrap_or_default();
    let asked = proxy.asked();
    assert!(!told.contains("k3y") && !told.contains("t0ken"), "{told}");
    Ok((told, asked.len()))
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times() -> anyhow::Result<()> {
    for (status, body) in [
        (500, error("InternalServiceError", "")),
        (400, error("ThrottlingException", "Rate exceeded")),
        (429, String::new()),
    ] {
        assert_eq!(told(status, body).await?.1, 3);
    }
    let answer = json!({"SecretString": "hunter22"}).to_string();
    let busy = error("ThrottlingException", "Rate exceeded");
    let proxy = Proxy::start("http://127.0.0.1:1", move |_, before| match before {
        0 | 1 => Some((400, busy.clone())),
        _ => Some((200, answer.clone())),
    })
    .await?;
    assert_eq!(password(&deployment(&proxy)?, &kept("keys")).await?, "hunter22");
    Ok(())
}

#[tokio::test]
async fn what_will_not_pass_is_told_at_once_and_without_what_was_signed() -> anyhow::Result<()> {
    let unread = "The secret \"a-secret\" in AWS Secrets Manager could not be read: ";
    let who = "User: arn:aws:iam::123456789012:user/x is not authorized to perform: secretsmanager:GetSecretValue";
    let signed = "The canonical string should have been x-amz-security-token:t0ken-of-the-test";
    let xml = "<ErrorResponse xmlns=\"x\"><Error><Code>ExpiredToken</Code></Error></ErrorResponse>".to_owned();
    for (status, body, why) in [
        (
            400,
            error("AccessDeniedException", who),
            format!("AWS answered AccessDeniedException (status 400).: {who}"),
        ),
        (
            403,
            error("InvalidSignatureException", signed),
            "AWS answered InvalidSignatureException (status 403).".to_owned(),
        ),
        (403, xml, "AWS answered ExpiredToken (status 403).".to_owned()),
        (302, String::new(), "AWS answered with status 302.".to_owned()),
        (
            200,
            "k3y-of-the-test".to_owned(),
            "AWS answered with no JSON.".to_owned(),
        ),
        (200, "{}".to_owned(), "it is no text.".to_owned()),
    ] {
        assert_eq!(told(status, body).await?, (format!("{unread}{why}"), 1));
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_no_header_can_hold_are_refused() -> anyhow::Result<()> {
    let proxy = Proxy::start("http://127.0.0.1:1", |_, _| None).await?;
    let found = resolve(&deployment(&proxy)?, &kept("broken"), CredentialKind::Password).await?;
    let message = found.err().map(|error| error.message).unwrap_or_default();
    assert!(
        message.ends_with("must be printable ASCII without blanks."),
        "{message}"
    );
    assert_eq!(proxy.asked().len(), 0);
    Ok(())
}
