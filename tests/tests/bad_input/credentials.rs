//! Bad credentials, and jobs that name credentials which are not there or are of another kind.

use anyhow::ensure;
use callboard_tests::contract::credential_store::bodies;
use callboard_tests::{Client, Service};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{check_problem, check_unharmed};

const PATH: &str = "/api/v1/credentials";

#[tokio::test]
async fn a_bad_credential_is_refused_with_a_pointer_to_each_fault() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    for (body, pointers) in cases() {
        let what = body.to_string();
        let what = &what[..what.len().min(200)];
        check_problem(
            what,
            &client.post(PATH, body.to_string()).await?,
            "invalid-request",
            &pointers,
        )?;
    }
    for (secret, body) in secrets() {
        for bad in [
            json!(""),
            json!(7),
            json!(["text"]),
            json!({"a": "text"}),
            json!("abc"),
            json!("x".repeat(40_000)),
        ] {
            let mut body = body.clone();
            body[secret] = bad;
            let answer = client.post(PATH, body.to_string()).await?;
            let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
            let named = errors.iter().any(|error| error["pointer"] == format!("/{secret}"));
            ensure!(
                answer.status == 422 && named,
                "{secret} of {}: {answer:?}",
                body["kind"]
            );
        }
    }
    for name in ["..%2Fa", "%00", "%ff", "a b", "-a", "a".repeat(129).as_str()] {
        let path = format!("{PATH}/{name}");
        let put = client
            .request(Method::PUT, &path)
            .json(&json!({"kind": "password", "password": "text"}));
        for answer in [
            client.get(&path).await?,
            client.delete(&path).await?,
            client.send(put).await?,
        ] {
            check_problem(&path, &answer, "no-such-credential", &[])?;
        }
    }
    for (method, path) in [
        (Method::PUT, PATH),
        (Method::DELETE, PATH),
        (Method::POST, "/api/v1/credentials/a"),
    ] {
        check_problem(
            path,
            &client.send(client.request(method, path)).await?,
            "method-not-allowed",
            &[],
        )?;
    }
    check_problem(
        "a query",
        &client.get(&format!("{PATH}?kind=ssh")).await?,
        "invalid-query",
        &["kind"],
    )?;
    ensure!(client.get(PATH).await?.body == json!({"credentials": [], "limit": 20, "next_cursor": null}));
    ensure!(
        !data.path().join("callboard.key").exists(),
        "a key was made for nothing"
    );
    check_unharmed(&service, &client).await
}

#[tokio::test]
async fn a_new_value_that_is_bad_leaves_the_old_one() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let created = client
        .post(
            PATH,
            json!({"name": "a", "kind": "vault", "password": "text"}).to_string(),
        )
        .await?;
    for (body, pointers) in [
        (json!({}), vec!["/kind"]),
        (json!([]), vec![""]),
        (json!({"kind": "vault"}), vec!["/password"]),
        (
            json!({"kind": "vault", "password": "text", "vault_id": "a@b", "token": "x"}),
            vec!["/vault_id", "/token"],
        ),
        (json!({"kind": "vault", "password": "text", "name": "b"}), vec!["/name"]),
    ] {
        let put = client.request(Method::PUT, &format!("{PATH}/a")).json(&body);
        check_problem(
            &body.to_string(),
            &client.send(put).await?,
            "invalid-request",
            &pointers,
        )?;
    }
    ensure!(client.get(&format!("{PATH}/a")).await?.body == created.body);
    check_unharmed(&service, &client).await
}

#[tokio::test]
async fn a_job_that_names_a_credential_which_is_not_there_or_of_another_kind_is_not_queued() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    store(&client, json!({"name": "a-token", "kind": "bearer", "token": "text"})).await?;
    store(
        &client,
        json!({"name": "a-password", "kind": "password", "password": "text"}),
    )
    .await?;
    let access = |access: Value| json!({"playbook": "hello.yml", "credentials": access});
    for (request, pointers) in [
        (access(json!({"ssh": "none"})), vec!["/credentials/ssh"]),
        (
            access(
                json!({"ssh": "a-password", "password": "a-token", "become_password": "a-password", "cloud": "A-Password"}),
            ),
            vec!["/credentials/ssh", "/credentials/password", "/credentials/cloud"],
        ),
        (
            access(
                json!({"vault_password": {"type": "hashicorp_vault", "vault_path": "kv/a", "vault_credential": "a-token"}}),
            ),
            vec!["/credentials/vault_password/vault_credential"],
        ),
        (
            access(json!({"cloud": {"type": "aws", "credential": "a-token"}})),
            vec!["/credentials/cloud/credential"],
        ),
        (
            json!({"playbook": "hello.yml", "options": {"vault_ids": ["prod@none", "a-password"]}}),
            vec!["/options/vault_ids/0", "/options/vault_ids/1"],
        ),
        (
            access(json!({"ssh": "../a", "password": ""})),
            vec!["/credentials/ssh", "/credentials/password"],
        ),
        (
            access(json!({"ssh": 1, "sssh": "a"})),
            vec!["/credentials/ssh", "/credentials/sssh"],
        ),
    ] {
        let answer = client.post("/api/v1/jobs", request.to_string()).await?;
        check_problem(&request.to_string(), &answer, "invalid-request", &pointers)?;
    }
    check_unharmed(&service, &client).await
}

async fn store(client: &Client, body: Value) -> anyhow::Result<()> {
    let answer = client.post(PATH, body.to_string()).await?;
    ensure!(answer.status == 201, "{answer:?}");
    Ok(())
}

/// Returns every secret field of every kind, each with the body of a whole credential.
fn secrets() -> Vec<(&'static str, Value)> {
    let names = [
        "private_key",
        "passphrase",
        "password",
        "secret_access_key",
        "session_token",
        "token",
        "secret_id",
        "value",
    ];
    let with_name = |mut body: Value| {
        body["name"] = json!("a");
        body
    };
    let bodies = bodies().into_iter().map(with_name);
    let of_one = |body: Value| names.into_iter().filter(move |name| body.get(*name).is_some());
    bodies
        .flat_map(|body| of_one(body.clone()).map(move |name| (name, body.clone())))
        .collect()
}

/// Bodies that are JSON and no credential, and the place of every fault.
fn cases() -> Vec<(Value, Vec<&'static str>)> {
    let mut cases = vec![
        (json!([]), vec![""]),
        (json!("ssh"), vec![""]),
        (json!({}), vec!["/name", "/kind"]),
        (json!({"name": "a"}), vec!["/kind"]),
        (json!({"name": "a", "kind": "none"}), vec!["/kind"]),
        (json!({"name": "a", "kind": 1}), vec!["/kind"]),
        (
            json!({"name": 7, "kind": "password", "password": "text"}),
            vec!["/name"],
        ),
        (json!({"kind": "password"}), vec!["/name", "/password"]),
        (
            json!({"name": "a", "kind": "vault", "password": null}),
            vec!["/password"],
        ),
        (json!({"name": "a", "kind": "galaxy"}), vec!["/token"]),
        (json!({"name": "a", "kind": "bearer"}), vec!["/token"]),
        (json!({"name": "a", "kind": "header"}), vec!["/header", "/value"]),
        (json!({"name": "a", "kind": "hashicorp_vault"}), vec!["/url", "/token"]),
        (
            json!({"name": "a", "kind": "client_certificate"}),
            vec!["/certificate", "/private_key"],
        ),
        (
            json!({"name": "a", "kind": "client_certificate", "certificate": "text", "private_key": "text"}),
            vec!["/certificate"],
        ),
        (
            json!({"name": "a", "kind": "password", "password": "text", "user": "x", "a/b": 1}),
            vec!["/user", "/a~1b"],
        ),
        (
            json!({"name": "a", "kind": "password", "password": "two\nlines"}),
            vec!["/password"],
        ),
        (
            json!({"name": "a", "kind": "password", "password": "nul\u{0}"}),
            vec!["/password"],
        ),
        (
            json!({"name": "a", "kind": "ssh", "private_key": "not a key"}),
            vec!["/private_key"],
        ),
        (
            json!({"name": "a", "kind": "ssh", "passphrase": "text"}),
            vec!["/private_key"],
        ),
        (
            json!({"name": "a", "kind": "vault", "password": "text", "vault_id": "a,b"}),
            vec!["/vault_id"],
        ),
        (
            json!({"name": "a", "kind": "ssh", "private_key": "not a key", "known_hosts": "web1 ssh-ed25519 AAAA"}),
            vec!["/private_key", "/known_hosts"],
        ),
        (
            json!({"name": "a", "kind": "git", "token": "text", "known_hosts": "# of web1\n\nssh-ed25519 AAAA\nx\n"}),
            vec!["/known_hosts", "/known_hosts"],
        ),
        (
            json!({"name": "a", "kind": "git", "token": "text", "known_hosts": ["web1 ssh-ed25519 AAAA"]}),
            vec!["/known_hosts"],
        ),
        (json!({"name": "a", "kind": "git"}), vec!["/token"]),
        (
            json!({"name": "a", "kind": "git", "token": "abc", "hosts": "x"}),
            vec!["/token", "/hosts"],
        ),
        (
            json!({"name": "a", "kind": "galaxy", "token": "text", "hosts": ["https://x"]}),
            vec!["/hosts/0"],
        ),
        (json!({"name": "a", "kind": "cloud"}), vec!["/access_key_id"]),
        (
            json!({"name": "a", "kind": "cloud", "provider": "gcp", "role_arn": "deploy"}),
            vec!["/provider", "/role_arn"],
        ),
        (
            json!({"name": "a", "kind": "cloud", "access_key_id": "AKIA"}),
            vec!["/access_key_id"],
        ),
        (
            json!({"name": "a", "kind": "bearer", "token": "ünï-token"}),
            vec!["/token"],
        ),
        (
            json!({"name": "a", "kind": "header", "header": "X Y", "value": "text"}),
            vec!["/header"],
        ),
        (json!({"name": "a", "kind": "header", "value": "text"}), vec!["/header"]),
        (
            json!({"name": "a", "kind": "hashicorp_vault", "token": "text"}),
            vec!["/url"],
        ),
        (
            json!({"name": "a", "kind": "hashicorp_vault", "url": "ftp://v", "token": "text"}),
            vec!["/url"],
        ),
        (
            json!({"name": "a", "kind": "hashicorp_vault", "url": "https://v", "token": "text", "role": "r"}),
            vec!["/token"],
        ),
        (
            json!({"name": "a", "kind": "hashicorp_vault", "url": "https://v", "role_id": "r"}),
            vec!["/token"],
        ),
    ];
    for name in [
        "",
        "-a",
        ".a",
        "a b",
        "a/b",
        "../a",
        "a\n",
        "ä",
        "a\u{0}",
        &"a".repeat(129),
    ] {
        cases.push((
            json!({"name": name, "kind": "password", "password": "text"}),
            vec!["/name"],
        ));
    }
    cases
}
