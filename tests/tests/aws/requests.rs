//! What a request may name beyond the image: a repository, stored credentials, secrets that AWS keeps, a role.

use anyhow::{Context, ensure};
use callboard_tests::aws::Stack;
use callboard_tests::servers::{Mode, Part, Servers};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::000000000000:role/deploy";
/// Tells what a job has, without printing a secret.
const PLAYBOOK: &str = "- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: \"{{ lookup('file', lookup('env', 'AWS_SHARED_CREDENTIALS_FILE')) }}\"
      when: lookup('env', 'AWS_SHARED_CREDENTIALS_FILE') != ''
    - ansible.builtin.debug:
        msg: \"own keys: {{ lookup('env', 'AWS_ACCESS_KEY_ID') }}{{ lookup('env', 'AWS_SECRET_ACCESS_KEY') }}.\"
    - ansible.builtin.debug:
        var: vaulted
";

fn start(servers: &Servers) -> anyhow::Result<Stack> {
    let host = servers.git()?.url.replace("https://", "");
    let policy = json!({
        "git": [host], "roles": [ROLE],
        "secrets": ["aws_secretsmanager:team/*", "aws_ssm:/team/*"],
    });
    let authority = servers.authority().display().to_string();
    crate::start_with(&[("CALLBOARD_POLICY", &policy.to_string()), ("SSL_CERT_FILE", &authority)])
}

#[tokio::test]
async fn a_repository_is_fetched_once_with_a_stored_token_and_kept_in_the_bucket() -> anyhow::Result<()> {
    let servers = Servers::start(&[Part::Git])?;
    let stack = start(&servers)?;
    let (client, git) = (stack.client(), servers.git()?);
    let commit = git.publish_private("site", &[("site.yml", PLAYBOOK, Mode::Plain)])?;
    let body = json!({"name": "deploy", "kind": "git", "username": git.user, "token": git.token});
    let made = client.post("/api/v1/credentials", body.to_string()).await?;
    ensure!(made.status == 201, "{made:?}");
    let request = json!({
        "source": {
            "type": "playbook", "repo": format!("{}/private/site.git", git.url), "path": "site.yml", "git_credential": "deploy",
        },
        "extra_vars": {"vaulted": "no"},
    });
    for _ in 0..4 {
        let job = client.run(&request).await?;
        ensure!(job["status"] == "successful" && job["commit"] == commit, "{job}");
    }
    let fetches = git.fetches("site")?;
    ensure!(
        fetches == 1,
        "{fetches} fetches by two workers: {:?}",
        git.requests("site")?
    );
    let objects = stack
        .resources
        .s3()
        .list_objects_v2()
        .bucket(&stack.resources.bucket)
        .prefix("archives/git/");
    let kept = objects.send().await?.key_count.unwrap_or_default();
    ensure!(kept == 1, "{kept} archives are kept");
    ensure!(!stack.log().contains(&git.token), "the token is logged");
    Ok(())
}

#[tokio::test]
async fn secrets_that_aws_keeps_reach_a_job_where_the_policy_lists_them_and_nothing_else_does() -> anyhow::Result<()> {
    let servers = Servers::start(&[Part::Git])?;
    let stack = start(&servers)?;
    let client = stack.client();
    let secret = "a-vault-password-that-aws-keeps";
    let manager = aws_sdk_secretsmanager::Client::new(&stack.resources.config);
    let name = format!("team/{}", stack.resources.table);
    manager
        .create_secret()
        .name(&name)
        .secret_string(json!({"vault": secret, "other": "x"}).to_string())
        .send()
        .await?;
    let reference = |id: &str| json!({"type": "aws_secretsmanager", "secret_id": id, "key": "vault"});
    let request = |credentials: Value| json!({"source": {"type": "inline", "content": PLAYBOOK}, "extra_vars": {"vaulted": secret}, "credentials": credentials});
    let job = client
        .run(&request(json!({"vault_password": reference(&name)})))
        .await?;
    ensure!(job["status"] == "successful", "{job}");
    let id = job["job_id"].as_str().context("a job has an id")?;
    let log = String::from_utf8(client.logs(id).await?)?;
    ensure!(
        log.contains("own keys: .") && log.contains("********") && !log.contains(secret),
        "{log}"
    );

    for (refused, pointer) in [
        (
            json!({"vault_password": reference("prod/db")}),
            "/credentials/vault_password",
        ),
        (
            json!({"cloud": {"type": "aws", "role_arn": "arn:aws:iam::000000000000:role/admin"}}),
            "/credentials/cloud/role_arn",
        ),
    ] {
        let answer = client.post("/api/v1/jobs", request(refused).to_string()).await?;
        ensure!(
            answer.status == 422 && answer.body["errors"][0]["pointer"] == pointer,
            "{answer:?}"
        );
    }
    let absent = client
        .run(&request(json!({"vault_password": reference("team/absent")})))
        .await?;
    ensure!(absent["reason"] == "credential_unavailable", "{absent}");
    ensure!(
        absent["error"]
            .as_str()
            .is_some_and(|error| error.contains("team/absent")),
        "{absent}"
    );
    Ok(())
}

#[tokio::test]
async fn a_role_that_the_policy_lists_is_assumed_for_the_job_and_its_keys_are_in_a_profile_only() -> anyhow::Result<()>
{
    let servers = Servers::start(&[Part::Git])?;
    let stack = start(&servers)?;
    let client = stack.client();
    let request = json!({
        "source": {"type": "inline", "content": PLAYBOOK}, "extra_vars": {"vaulted": "no"},
        "credentials": {"cloud": {"type": "aws", "role_arn": ROLE}},
    });
    let job = client.run(&request).await?;
    ensure!(job["status"] == "successful", "{job}");
    let stdout = job["result"]["stdout"].as_str().unwrap_or_default();
    for told in [
        "[default]",
        "aws_access_key_id = ",
        "aws_secret_access_key = ********",
        "aws_session_token = ********",
        "own keys: .",
    ] {
        ensure!(stdout.contains(told), "{told} is not in {stdout}");
    }
    Ok(())
}
