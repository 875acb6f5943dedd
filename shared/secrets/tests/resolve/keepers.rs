//! Secrets that AWS keeps.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::servers::{aws, unique};
use crate::{Deployment, password, refusal};

async fn secret(name: &str, value: Value) -> anyhow::Result<String> {
    let mut body = json!({"Name": name, "ClientRequestToken": "0123456789abcdef0123456789abcdef"});
    if let (Some(body), Value::Object(value)) = (body.as_object_mut(), value) {
        body.extend(value);
    }
    let made = aws("secretsmanager.CreateSecret", &body).await?;
    Ok(made["ARN"].as_str().unwrap_or_default().to_owned())
}

fn deployment() -> anyhow::Result<Deployment> {
    let deployment = Deployment {
        policy: json!({"secrets": ["aws_secretsmanager:*", "aws_ssm:*"]}),
        ..Deployment::default()
    };
    let keys = json!({"kind": "cloud", "access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"});
    deployment.with("keys", &keys)
}

#[tokio::test]
async fn a_secret_of_secrets_manager_is_read_by_name_or_arn_whole_or_by_key() -> anyhow::Result<()> {
    let resolver = deployment()?.resolver()?;
    let name = unique("app/db");
    let arn = secret(
        &name,
        json!({"SecretString": r#"{"password": "hunter22", "port": 54321}"#}),
    )
    .await?;
    let bytes = unique("app/bytes");
    secret(&bytes, json!({"SecretBinary": STANDARD.encode("hunter33\n")})).await?;

    let kept = |id: &str| json!({"type": "aws_secretsmanager", "secret_id": id});
    let with = |id: &str, field: &str, value: &str| {
        let mut kept = kept(id);
        kept[field] = value.into();
        kept
    };
    assert_eq!(password(&resolver, &with(&name, "key", "password")).await?, "hunter22");
    assert_eq!(password(&resolver, &with(&arn, "key", "port")).await?, "54321");
    assert_eq!(password(&resolver, &kept(&bytes)).await?, "hunter33");
    let mut asked_with_keys = with(&name, "key", "password");
    asked_with_keys["cloud_credential"] = "keys".into();
    assert_eq!(password(&resolver, &asked_with_keys).await?, "hunter22");

    for (kept, why) in [
        (
            kept("nothing"),
            "The secret \"nothing\" in AWS Secrets Manager could not be read: it is not there.",
        ),
        (
            with(&name, "key", "user"),
            "it has no key \"user\"; it has password, port.",
        ),
        (with(&bytes, "key", "user"), "it is no JSON object, so it has no keys."),
        (with(&name, "region", "eu-west-1"), "it is not there."),
        (
            with(&name, "cloud_credential", "other"),
            "the credential \"other\" is not there.",
        ),
    ] {
        let refused = refusal(&resolver, &kept).await?;
        assert!(refused.ends_with(why), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_parameter_of_systems_manager_is_read_decrypted() -> anyhow::Result<()> {
    let resolver = deployment()?.resolver()?;
    let name = format!("/{}/password", unique("app"));
    let parameter = json!({"Name": name, "Value": "hunter22", "Type": "SecureString"});
    aws("AmazonSSM.PutParameter", &parameter).await?;
    let kept = |name: &str| json!({"type": "aws_ssm", "name": name});
    assert_eq!(password(&resolver, &kept(&name)).await?, "hunter22");
    let refused = refusal(&resolver, &kept("/nothing")).await?;
    let why = "The parameter \"/nothing\" in AWS Systems Manager could not be read: it is not there.";
    assert_eq!(refused, why);
    Ok(())
}

#[tokio::test]
async fn the_workers_own_identity_reads_only_what_the_policy_lists() -> anyhow::Result<()> {
    let listed = unique("listed");
    secret(&listed, json!({"SecretString": "hunter22"})).await?;
    let resolver = Deployment {
        policy: json!({"secrets": [format!("aws_secretsmanager:{listed}")]}),
        ..Deployment::default()
    };
    let resolver = resolver.resolver()?;
    let kept = |id: &str| json!({"type": "aws_secretsmanager", "secret_id": id});
    assert_eq!(password(&resolver, &kept(&listed)).await?, "hunter22");
    let refused = refusal(&resolver, &kept("another")).await?;
    let why = "the worker's own identity is not allowed for it; an operator allows it by adding \
               \"aws_secretsmanager:another\" to \"secrets\" of the policy (--policy, CALLBOARD_POLICY).";
    assert!(refused.ends_with(why), "{refused}");
    let refused = refusal(&resolver, &json!({"type": "aws_ssm", "name": listed})).await?;
    assert!(refused.contains(&format!("adding \"aws_ssm:{listed}\"")), "{refused}");
    Ok(())
}

#[tokio::test]
async fn what_the_service_keeps_for_itself_is_given_to_nobody() -> anyhow::Result<()> {
    let resolver = deployment()?.resolver()?;
    let name = unique("callboard/credentials");
    let arn = secret(&name, json!({"SecretString": "hunter22"})).await?;
    for id in [&name, &arn] {
        for credential in [Value::Null, json!("keys")] {
            let mut kept = json!({"type": "aws_secretsmanager", "secret_id": id});
            if credential.is_string() {
                kept["cloud_credential"] = credential;
            }
            let refused = refusal(&resolver, &kept).await?;
            assert!(
                refused.ends_with("could not be read: it belongs to the service itself."),
                "{refused}"
            );
        }
    }
    for parameter in [
        format!("/aws/reference/secretsmanager/{name}"),
        format!("arn:aws:ssm:us-east-1:000000000000:parameter/aws/reference/secretsmanager/{name}"),
        "/callboard/settings".to_owned(),
    ] {
        let refused = refusal(&resolver, &json!({"type": "aws_ssm", "name": parameter})).await?;
        assert!(
            refused.contains("use the type aws_secretsmanager") || refused.ends_with("the service itself."),
            "{refused}"
        );
    }
    Ok(())
}
