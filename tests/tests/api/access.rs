//! Who asks, and what they may do.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use callboard_tests::client::Answer;
use callboard_tests::wait;
use reqwest::Method;
use serde_json::{Value, json};

/// The operator's key.
pub(crate) const ADMIN: &str = r#"{"name": "admin", "scopes": ["admin"]}"#;
pub(crate) const KEYS: &str = "/api/v1/keys";
const ACTIONS: [&str; 9] = [
    "jobs:read",
    "jobs:run",
    "jobs:cancel",
    "credentials:read",
    "credentials:write",
    "services:read",
    "keys:read",
    "keys:write",
    "audit:read",
];

/// Returns whether an answer is a problem of a kind.
pub(crate) fn is(answer: &Answer, status: u16, problem: &str) -> bool {
    let kind = format!("urn:callboard:problem:{problem}");
    answer.status == status && answer.body["type"] == kind.as_str()
}

/// Fills a path with things that there are not.
fn filled(path: &str) -> String {
    path.replace("{job_id}", "01a1faf8-50a0-70a1-801c-2d3e4f506172")
        .replace("{key_id}", "000000000000")
        .replace("{name}", "nothing")
        .replace("{service}", "nothing")
        .replace("{operation}", "nothing")
}

/// What a route needs, as its description says.
enum Need {
    Nothing,
    Caller,
    Scope(String),
}

impl Need {
    fn of(operation: &Value) -> Self {
        match (
            &operation["security"][0]["api_key"],
            &operation["security"][0]["api_key"][0],
        ) {
            (_, Value::String(scope)) => Self::Scope(scope.clone()),
            (Value::Array(_), _) => Self::Caller,
            _ => Self::Nothing,
        }
    }

    fn is_met_by(&self, action: &str) -> bool {
        match self {
            Self::Scope(needed) => needed == action,
            Self::Nothing | Self::Caller => true,
        }
    }
}

/// Nobody, and holders of a key and of a session for each scope.
#[tokio::test]
async fn every_route_asks_for_its_scope_and_takes_no_other() -> anyhow::Result<()> {
    let (service, _data, admin) = crate::start_with_key().await?;
    let admin = service.client().showing(&admin);
    let document = admin.get("/openapi.json").await?.body;
    let mut routes = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().context("paths")? {
        for (method, operation) in methods.as_object().context("methods")? {
            let method: Method = method.to_uppercase().parse()?;
            routes.insert((filled(path), method.to_string()), (method, Need::of(operation)));
        }
    }
    ensure!(routes.len() == 38, "{} routes", routes.len());
    for action in ACTIONS {
        let holder = json!({"name": action.replace(':', "-"), "scopes": [action]});
        let holder = admin.make_key(&holder).await?;
        for (shown, client) in [("session", holder.begin_session().await?), ("key", holder)] {
            // a session begins no other, and can end itself
            let is_asked = |path: &str| shown != "session" || path != "/api/v1/session";
            for ((path, _), (method, need)) in routes.iter().filter(|((path, _), _)| is_asked(path)) {
                let answer = client.send(client.request(method.clone(), path)).await?;
                let may = need.is_met_by(action);
                ensure!(
                    may != is(&answer, 403, "forbidden") && answer.status != 401 && !is(&answer, 403, "csrf-token"),
                    "{method} {path} with a {shown} for {action}: {answer:?}"
                );
                let detail = answer.body["detail"].as_str().unwrap_or_default();
                let names_it = matches!(need, Need::Scope(needed) if detail.contains(needed));
                ensure!(may || names_it, "{method} {path}: {detail}");
            }
        }
    }
    let nobody = service.client();
    for ((path, _), (method, need)) in &routes {
        let answer = nobody.send(nobody.request(method.clone(), path)).await?;
        match need {
            Need::Nothing => ensure!(answer.status == 200, "{method} {path}: {answer:?}"),
            Need::Caller | Need::Scope(_) => ensure!(
                is(&answer, 401, "unauthenticated") && answer.header("www-authenticate").starts_with("Bearer"),
                "{method} {path}: {answer:?}"
            ),
        }
    }
    Ok(())
}

#[tokio::test]
async fn nothing_of_another_tenant_is_there() -> anyhow::Result<()> {
    let (service, _data, operator) = crate::start_with_key().await?;
    let operator = service.client().showing(&operator);
    let tenant = async |name: &str| {
        let body = json!({"name": name, "scopes": ["admin"], "tenant": name});
        operator.make_key(&body).await
    };
    let (web, mail) = (tenant("web").await?, tenant("mail").await?);
    let job = web.submit(&json!({"playbook": "hello.yml"})).await?;
    web.ended(&job).await?;
    let credential = json!({"name": "shared-name", "kind": "password", "password": "of-web"});
    ensure!(web.post("/api/v1/credentials", credential.to_string()).await?.status == 201);
    let keys = web.get(KEYS).await?.body;
    let key_id = keys["keys"][0]["id"].as_str().context("its own key")?.to_owned();
    ensure!(keys["keys"].as_array().is_some_and(|keys| keys.len() == 1), "{keys}");
    for other in [&mail, &operator] {
        for (method, path, problem) in [
            (Method::GET, format!("/api/v1/jobs/{job}"), "no-such-job"),
            (Method::GET, format!("/api/v1/jobs/{job}/logs"), "no-such-job"),
            (Method::GET, format!("/api/v1/jobs/{job}/events"), "no-such-job"),
            (Method::DELETE, format!("/api/v1/jobs/{job}"), "no-such-job"),
            (Method::POST, format!("/api/v1/jobs/{job}/redrive"), "no-such-job"),
            (
                Method::GET,
                "/api/v1/credentials/shared-name".to_owned(),
                "no-such-credential",
            ),
            (
                Method::DELETE,
                "/api/v1/credentials/shared-name".to_owned(),
                "no-such-credential",
            ),
        ] {
            let answer = other.send(other.request(method.clone(), &path)).await?;
            ensure!(is(&answer, 404, problem), "{method} {path}: {answer:?}");
        }
        let listed = other.get("/api/v1/jobs").await?.body;
        ensure!(listed["jobs"] == json!([]) && listed["total"] == 0, "{listed}");
        ensure!(other.get("/api/v1/credentials").await?.body["credentials"] == json!([]));
        ensure!(other.get("/api/v1/stats/performance").await?.body["entries"] == json!([]));
        // its credential is no other's
        let with = json!({"playbook": "hello.yml", "credentials": {"password": "shared-name"}});
        ensure!(other.post("/api/v1/jobs", with.to_string()).await?.status == 422);
    }
    // an idempotency key of one is not another's
    let body = json!({"playbook": "hello.yml"});
    let one = web.post_once("/api/v1/jobs", "the-same", &body).await?.body["job_id"].clone();
    let other = mail.post_once("/api/v1/jobs", "the-same", &body).await?.body["job_id"].clone();
    ensure!(one.is_string() && other.is_string() && one != other);
    // the operator manages the keys of all; a tenant only its own
    let path = format!("{KEYS}/{key_id}");
    ensure!(is(&mail.get(&path).await?, 404, "no-such-key"));
    ensure!(is(&mail.delete(&path).await?, 404, "no-such-key"));
    ensure!(mail.get(&format!("{KEYS}?tenant=web")).await?.status == 422);
    let for_others = json!({"name": "a", "scopes": ["jobs:read"], "tenant": "web"});
    ensure!(is(&mail.post(KEYS, for_others.to_string()).await?, 403, "forbidden"));
    ensure!(operator.get(&format!("{KEYS}?tenant=web")).await?.body["keys"][0]["id"] == key_id.as_str());
    Ok(())
}

#[tokio::test]
async fn a_bound_key_runs_reads_and_cancels_what_it_is_bound_to() -> anyhow::Result<()> {
    let (service, _data, admin) = crate::start_with_key().await?;
    let admin = service.client().showing(&admin);
    let scopes = [
        "jobs:run[playbook=hello.yml,inventory=localhost,credential=staging-*]",
        "jobs:read[own]",
        "jobs:cancel[own]",
    ];
    let pipeline = admin.make_key(&json!({"name": "pipeline", "scopes": scopes})).await?;
    let job = pipeline.submit(&json!({"playbook": "hello.yml"})).await?;
    let record = pipeline.ended(&job).await?;
    ensure!(
        record["submitted_by"] == "key:pipeline" && record["request_id"].is_string(),
        "{record}"
    );
    ensure!(record["source_ip"] == "127.0.0.1", "{record}");
    ensure!(pipeline.get(&format!("/api/v1/jobs/{job}/logs")).await?.status == 200);
    for (pointer, refused) in [
        ("/playbook", json!({"playbook": "count.yml"})),
        (
            "/source",
            json!({"source": {"type": "inline", "content": "- hosts: all"}}),
        ),
        (
            "/inventory",
            json!({"playbook": "hello.yml", "inventory": "production,"}),
        ),
        (
            "/inventory",
            json!({"playbook": "hello.yml", "inventory": "localhost,production,"}),
        ),
        (
            "/inventory",
            json!({"playbook": "hello.yml", "inventory": {"type": "inline", "hosts": ["localhost"]}}),
        ),
        (
            "/extra_vars/ansible_host",
            json!({"playbook": "hello.yml", "extra_vars": {"ansible_host": "production"}}),
        ),
        (
            "/extra_vars/inventory_hostname",
            json!({"playbook": "hello.yml", "extra_vars": {"inventory_hostname": "production"}}),
        ),
        (
            "/inventory",
            json!({"playbook": "hello.yml", "inventory": "localhost@production,"}),
        ),
        (
            "/options/become",
            json!({"playbook": "hello.yml", "options": {"become": true}}),
        ),
        (
            "/options/remote_user",
            json!({"playbook": "hello.yml", "options": {"remote_user": "root"}}),
        ),
        (
            "/options/connection",
            json!({"playbook": "hello.yml", "options": {"connection": "ssh"}}),
        ),
        (
            "/credentials/ssh",
            json!({"playbook": "hello.yml", "credentials": {"ssh": "production-ssh"}}),
        ),
        (
            "/credentials/ssh",
            json!({"playbook": "hello.yml", "credentials": {"ssh": {"type": "aws_ssm", "name": "staging-x"}}}),
        ),
        ("/playbook", json!({"playbook": "./hello.yml"})),
        ("/playbook", json!({"playbook": "failing/../hello.yml"})),
    ] {
        let answer = pipeline.post("/api/v1/jobs", refused.to_string()).await?;
        ensure!(
            is(&answer, 403, "forbidden") || answer.status == 422,
            "{refused}: {answer:?}"
        );
        let told = &answer.body["errors"][0]["pointer"];
        ensure!(told == pointer, "{refused}: {answer:?}");
    }
    let answer = pipeline.post("/api/v1/jobs", r#"{"playbook": "count.yml"}"#).await?;
    let (detail, told) = (&answer.body["detail"], &answer.body["errors"][0]["detail"]);
    ensure!(
        told == "is not what the scope allows: playbook=hello.yml"
            && detail
                .as_str()
                .is_some_and(|detail| detail.contains("jobs:run[playbook=hello.yml")),
        "{answer:?}"
    );
    let others = admin.submit(&json!({"playbook": "hello.yml"})).await?;
    admin.ended(&others).await?;
    for answer in [
        pipeline.get(&format!("/api/v1/jobs/{others}")).await?,
        pipeline.get(&format!("/api/v1/jobs/{others}/logs")).await?,
        pipeline.delete(&format!("/api/v1/jobs/{others}")).await?,
        pipeline.get("/api/v1/jobs").await?,
        pipeline.get("/api/v1/stats/failures").await?,
        pipeline.post(&format!("/api/v1/jobs/{job}/redrive"), "{}").await?,
        pipeline.post("/api/v1/credentials", "{}").await?,
    ] {
        ensure!(is(&answer, 403, "forbidden"), "{answer:?}");
    }
    let keeper = admin
        .make_key(&json!({"name": "keeper", "scopes": ["credentials:*[credential=staging-*]"]}))
        .await?;
    let credential = |name: &str| json!({"name": name, "kind": "password", "password": "a-password"}).to_string();
    ensure!(
        keeper
            .post("/api/v1/credentials", credential("staging-db"))
            .await?
            .status
            == 201
    );
    ensure!(is(
        &keeper.post("/api/v1/credentials", credential("production-db")).await?,
        403,
        "forbidden"
    ));
    ensure!(
        admin
            .post("/api/v1/credentials", credential("production-db"))
            .await?
            .status
            == 201
    );
    ensure!(is(
        &keeper.get("/api/v1/credentials/production-db").await?,
        403,
        "forbidden"
    ));
    ensure!(
        admin
            .post("/api/v1/credentials", credential("a-secret-name"))
            .await?
            .status
            == 201
    );
    ensure!(
        admin
            .post("/api/v1/credentials", credential("staging-ssh"))
            .await?
            .status
            == 201
    );
    let first = keeper.get("/api/v1/credentials?limit=1").await?.body;
    let cursor = first["next_cursor"].as_str().context("one more follows")?;
    let second = keeper
        .get(&format!("/api/v1/credentials?limit=1&cursor={cursor}"))
        .await?
        .body;
    let names = (
        &first["credentials"][0]["name"],
        &second["credentials"][0]["name"],
        &second["next_cursor"],
    );
    ensure!(
        names == (&json!("staging-db"), &json!("staging-ssh"), &json!(null)),
        "{first} {second}"
    );
    ensure!(keeper.delete("/api/v1/credentials/staging-ssh").await?.status == 204);
    let listed = keeper.get("/api/v1/credentials").await?.body;
    ensure!(
        listed["credentials"].as_array().is_some_and(|all| all.len() == 1),
        "{listed}"
    );
    Ok(())
}

#[tokio::test]
async fn a_key_is_made_rotated_and_revoked_and_gives_no_more_than_its_maker_has() -> anyhow::Result<()> {
    let (service, _data, admin) = crate::start_with_key().await?;
    let admin = service.client().showing(&admin);
    let made = admin
        .post(
            KEYS,
            json!({"name": "ci", "scopes": ["jobs:read"], "expires": "12h"}).to_string(),
        )
        .await?
        .body;
    let (first, id) = (
        made["key"].as_str().context("a key")?,
        made["id"].as_str().context("an id")?,
    );
    let (path, rotate) = (format!("{KEYS}/{id}"), format!("{KEYS}/{id}/rotate"));
    let reads = async |key: &str| {
        let status = service.client().showing(key).get("/api/v1/jobs").await?.status;
        ensure!(status == 200 || status == 401, "{status}");
        anyhow::Ok(status == 200)
    };
    ensure!(reads(first).await?);
    let same = json!({"name": "ci", "scopes": ["jobs:read"]}).to_string();
    let taken = admin.post(KEYS, same.as_str()).await?;
    let detail = taken.body["detail"].as_str().unwrap_or_default();
    ensure!(is(&taken, 409, "key-exists") && detail.contains(id), "{taken:?}");
    let other = json!({"name": "ci", "scopes": ["jobs:read"], "tenant": "web"});
    ensure!(admin.post(KEYS, other.to_string()).await?.status == 201);
    let shown = admin.get(&path).await?.body;
    ensure!(
        shown["last_used_at"].is_string() && shown.get("key").is_none(),
        "{shown}"
    );
    ensure!(
        shown["created_by"] == "key:admin" && shown["tenant"] == "default",
        "{shown}"
    );
    let second = admin.send(admin.request(Method::POST, &rotate)).await?.body;
    ensure!(second["former_until"].is_string(), "{second}");
    let second = second["key"].as_str().context("a key")?.to_owned();
    ensure!(
        second != first && reads(&second).await? && reads(first).await?,
        "both are accepted for a day"
    );
    let third = admin.post(&rotate, r#"{"overlap": "0h"}"#).await?.body;
    let third = third["key"].as_str().context("a key")?.to_owned();
    wait::until_async("the former secrets are refused", async || {
        Ok(reads(&third).await? && !reads(&second).await? && !reads(first).await?)
    })
    .await?;
    ensure!(admin.delete(&path).await?.body["revoked_at"].is_string());
    wait::until_async("a revoked key is refused", async || Ok(!reads(&third).await?)).await?;
    ensure!(is(&admin.post(&rotate, "{}").await?, 409, "key-revoked"));
    ensure!(admin.post(KEYS, same).await?.status == 201, "its name is free");
    ensure!(is(&admin.get(&format!("{KEYS}/nothing")).await?, 404, "no-such-key"));

    let maker = admin
        .make_key(&json!({"name": "maker", "scopes": ["keys:write", "jobs:run[playbook=a.yml]"]}))
        .await?;
    for (scope, status) in [
        ("jobs:run[playbook=a.yml]", 201),
        ("jobs:run", 403),
        ("jobs:run[playbook=*]", 403),
        ("keys:*", 403),
        ("admin", 403),
    ] {
        let answer = maker
            .post(KEYS, json!({"name": "x", "scopes": [scope]}).to_string())
            .await?;
        ensure!(answer.status == status, "{scope}: {answer:?}");
    }
    // nor may it take over what has more, or take it away
    let other = admin
        .post(KEYS, json!({"name": "other", "scopes": ["jobs:read[own]"]}).to_string())
        .await?
        .body["id"]
        .clone();
    let reader = json!({"name": "reader", "scopes": ["keys:write", "jobs:read[own]"], "expires": "1h"});
    let reader = admin.make_key(&reader).await?;
    let keys = admin.get(KEYS).await?.body;
    let keys = keys["keys"].as_array().context("keys")?;
    let admin_key = &keys.iter().find(|key| key["name"] == "admin").context("the first")?["id"];
    for id in [&other, admin_key] {
        let path = format!("{KEYS}/{}", id.as_str().unwrap_or_default());
        let rotated = reader.post(&format!("{path}/rotate"), "{}").await?;
        ensure!(
            is(&rotated, 403, "forbidden"),
            "own jobs are others' for another: {rotated:?}"
        );
        ensure!(is(&reader.delete(&path).await?, 403, "forbidden"), "{path}");
    }
    for (expires, status) in [(None, 201), (Some("30m"), 201), (Some("2h"), 403), (Some("never"), 403)] {
        let name = format!("until-{}", expires.unwrap_or("then"));
        let mut body = json!({"name": name, "scopes": ["jobs:read[own]"]});
        if let Some(expires) = expires {
            body["expires"] = json!(expires);
        }
        let answer = reader.post(KEYS, body.to_string()).await?;
        ensure!(answer.status == status, "{expires:?}: {answer:?}");
    }
    // whoever rotates a key gets it
    let stolen = format!("{KEYS}/{}/rotate", admin_key.as_str().unwrap_or_default());
    ensure!(is(&maker.post(&stolen, "{}").await?, 403, "forbidden"));
    for (body, pointer) in [
        (json!({"scopes": ["jobs:run"]}), "/name"),
        (json!({"name": "a"}), "/scopes"),
        (json!({"name": "a b", "scopes": ["jobs:run"]}), "/name"),
        (json!({"name": "a", "scopes": ["jobs:fly"]}), "/scopes/0"),
        (json!({"name": "a", "scopes": ["jobs:run[color=red]"]}), "/scopes/0"),
        (
            json!({"name": "a", "scopes": ["jobs:run"], "expires": "soon"}),
            "/expires",
        ),
        (json!({"name": "a", "scopes": ["jobs:run"], "tenant": "Web"}), "/tenant"),
        (json!({"name": "a", "scopes": ["jobs:run"], "admin": true}), "/admin"),
    ] {
        let answer = admin.post(KEYS, body.to_string()).await?;
        let told = answer.body["errors"][0]["pointer"].clone();
        ensure!(answer.status == 422 && told == pointer, "{body}: {answer:?}");
    }
    Ok(())
}
