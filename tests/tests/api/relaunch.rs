//! `POST /api/v1/jobs/{job_id}/relaunch`.

use anyhow::{Context, ensure};
use callboard_tests::Client;
use callboard_tests::client::{Answer, hosts};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Fails on the host `b` until it is healed; so it never comes to `c`, nor to the play of `d`.
const PLAYBOOK: &str = "- hosts: first
  gather_facts: false
  serial: 1
  tasks:
    - ansible.builtin.assert: {that: \"inventory_hostname != 'b' or healed | default(false)\"}
- hosts: second
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: 'at the end'}
";

fn breaking() -> Value {
    json!({
        "source": {"type": "inline", "content": PLAYBOOK},
        "inventory": {"type": "inline", "data": {
            "first": {"hosts": {"a": null, "b": null, "c": null}},
            "second": {"hosts": {"d": null}},
        }},
        "options": {"labels": {"team": "web"}},
    })
}

fn id(record: &Value) -> anyhow::Result<&str> {
    record["job_id"].as_str().context("an id")
}

async fn relaunch(client: &Client, job: &str, changes: &Value) -> anyhow::Result<Answer> {
    client
        .post(&format!("/api/v1/jobs/{job}/relaunch"), changes.to_string())
        .await
}

/// Repeats a job, and returns the record of the new one when it has ended, and what was answered.
async fn repeated(client: &Client, job: &str, changes: &Value) -> anyhow::Result<(Value, Value)> {
    let answer = relaunch(client, job, changes).await?;
    ensure!(answer.status == StatusCode::ACCEPTED, "{answer:?}");
    ensure!(
        answer.body["relaunch_of"] == job && answer.body["status"] == "pending",
        "{answer:?}"
    );
    let new = id(&answer.body)?;
    ensure!(answer.header("location") == format!("/api/v1/jobs/{new}"), "{answer:?}");
    let record = client.ended(new).await?;
    ensure!(record["relaunch_of"] == job, "{record}");
    Ok((record, answer.body.clone()))
}

#[tokio::test]
async fn a_job_is_repeated_where_it_failed_or_never_came() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let first = client.run(&breaking()).await?;
    ensure!(
        first["status"] == "failed" && hosts(&first) == ["a", "b", "c", "d"],
        "{first}"
    );
    let stats = &first["result"]["stats"];
    ensure!(
        stats["b"]["failures"] == 1 && stats["c"]["processed"] == 0 && stats["d"]["processed"] == 0,
        "{first}"
    );
    let first_id = id(&first)?;

    let (still, _) = repeated(&client, first_id, &json!({"hosts": "failed"})).await?;
    ensure!(
        still["status"] == "failed" && hosts(&still) == ["b", "c", "d"],
        "{still}"
    );
    ensure!(
        still["options"]["limit"] == "b,c,d" && still["options"]["labels"] == json!({"team": "web"}),
        "{still}"
    );
    let healed = json!({"hosts": "failed", "extra_vars": {"healed": true}});
    let (done, answer) = repeated(&client, id(&still)?, &healed).await?;
    ensure!(
        done["status"] == "successful" && hosts(&done) == ["b", "c", "d"],
        "{done}"
    );
    ensure!(
        done["extra_vars"] == json!({"healed": true}) && answer["note"].is_null(),
        "{done}"
    );

    let again = client.job(first_id).await?;
    ensure!(again["relaunched_as"] == json!([still["job_id"]]), "{again}");
    ensure!(
        again["relaunch_of"].is_null() && again["result"] == first["result"],
        "{again}"
    );
    ensure!(done["relaunched_as"] == json!([]), "{done}");
    let told = client
        .get(&format!("/api/v1/audit?action=job.relaunch&object={}", id(&done)?))
        .await?
        .body;
    ensure!(
        told["entries"].as_array().is_some_and(|entries| entries.len() == 1),
        "{told}"
    );
    refused(&client, id(&done)?, &json!({"hosts": "failed"}), "/hosts").await
}

/// Whatever ended it there: another host's failure, or that of an earlier play; or nobody can say where.
#[tokio::test]
async fn hosts_that_did_not_fail_themselves_are_repeated_as_well() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let fail = "    - ansible.builtin.assert: {that: \"inventory_hostname != failing or healed | default(false)\"}\n";
    let play = |head: &str| {
        format!("- {head}\n  gather_facts: false\n  tasks:\n{fail}    - ansible.builtin.debug: {{msg: on}}\n")
    };
    let cases = [
        // of four hosts, one fails, and all are stopped
        (
            play("hosts: all\n  any_errors_fatal: true"),
            "b",
            Some(vec!["a", "b", "c", "d"]),
        ),
        // the first play has reached all, the second stops in its first batch
        (
            format!(
                "- hosts: all\n  gather_facts: false\n  tasks: [ansible.builtin.debug: {{msg: all}}]\n{}",
                play("hosts: first\n  serial: 1")
            ),
            "a",
            Some(vec!["a", "b", "c"]),
        ),
        // the first play has reached d, of which the third is
        (
            format!(
                "- hosts: second\n  gather_facts: false\n  tasks: [ansible.builtin.debug: {{msg: d}}]\n{}{}",
                play("hosts: b"),
                play("hosts: second"),
            ),
            "b",
            Some(vec!["b", "d"]),
        ),
        // a limit cannot name what is not in the inventory
        (play("hosts: localhost") + &play("hosts: all"), "localhost", None),
    ];
    for (playbook, failing, repeated_on) in cases {
        let mut request = breaking();
        request["source"]["content"] = playbook.clone().into();
        request["extra_vars"] = json!({"failing": failing});
        let first = client.run(&request).await?;
        ensure!(first["status"] == "failed", "{playbook}: {first}");
        let healed = json!({"hosts": "failed", "extra_vars": {"healed": true}});
        let (done, answer) = repeated(&client, id(&first)?, &healed).await?;
        ensure!(done["status"] == "successful", "{playbook}: {done}");
        match repeated_on {
            Some(names) => ensure!(hosts(&done) == names && answer["note"].is_null(), "{playbook}: {done}"),
            None => ensure!(
                done["options"]["limit"].is_null() && answer["note"].is_string(),
                "{playbook}: {answer}, {done}"
            ),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_job_is_repeated_with_changes_and_otherwise_as_it_was() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let request = json!({
        "playbook": "count.yml", "extra_vars": {"numbers": 2, "other": "x"}, "inventory": "a,b,",
        "options": {"tags": ["all"], "limit": "a"},
    });
    let job = client.run(&request).await?;
    let first = id(&job)?;
    let (same, _) = repeated(&client, first, &json!({})).await?;
    for part in [
        "playbook",
        "extra_vars",
        "inventory",
        "options",
        "credentials",
        "status",
        "submitted_by",
    ] {
        ensure!(same[part] == job[part], "{part}: {same}");
    }
    let changes = json!({"extra_vars": {"numbers": 3}, "limit": "b", "check": true});
    let (changed, _) = repeated(&client, first, &changes).await?;
    ensure!(
        changed["extra_vars"] == json!({"numbers": 3, "other": "x"}),
        "{changed}"
    );
    ensure!(
        changed["options"] == json!({"tags": ["all"], "limit": "b", "check": true}),
        "{changed}"
    );
    let printed = String::from_utf8(client.logs(id(&changed)?).await?)?;
    ensure!(printed.contains("of 3") && hosts(&changed) == ["b"], "{printed}");
    let record = client.job(first).await?;
    ensure!(
        record["relaunched_as"] == json!([same["job_id"], changed["job_id"]]),
        "{record}"
    );

    // without counts, it is not known where
    let broken = client
        .run(&json!({"source": {"type": "inline", "content": "- hosts: all\n  task: []\n"}}))
        .await?;
    let (all, answer) = repeated(&client, id(&broken)?, &json!({"hosts": "failed"})).await?;
    ensure!(
        answer["note"]
            .as_str()
            .is_some_and(|note| note.contains("all of its hosts")),
        "{answer}"
    );
    ensure!(all["options"] == broken["options"], "{all}");

    // a job that has not ended has not failed yet, and can be repeated nonetheless
    let waiting = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": data.path().join("go")}});
    let running = client.submit(&waiting).await?;
    refused(&client, &running, &json!({"hosts": "failed"}), "/hosts").await?;
    let twin = relaunch(&client, &running, &json!({"extra_vars": {"file": "/"}})).await?;
    ensure!(twin.status == StatusCode::ACCEPTED, "{twin:?}");
    std::fs::write(data.path().join("go"), "")?;
    client.ended(&running).await?;
    client.ended(id(&twin.body)?).await?;
    Ok(())
}

#[tokio::test]
async fn a_relaunch_is_made_once_and_only_of_what_there_is() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    let first = id(&job)?;
    let path = format!("/api/v1/jobs/{first}/relaunch");
    let changes = json!({"extra_vars": {"greeting": "again"}});
    let made = client.post_once(&path, "again-1", &changes).await?;
    let same = client.post_once(&path, "again-1", &changes).await?;
    ensure!(
        made.status == 202 && same.status == 202 && same.body == made.body,
        "{same:?}"
    );
    ensure!(same.header("idempotency-replayed") == "true", "{same:?}");
    let other = client.post_once(&path, "again-1", &json!({})).await?;
    ensure!(
        other.body["type"] == "urn:callboard:problem:idempotency-key-reused",
        "{other:?}"
    );
    let record = client.job(first).await?;
    ensure!(record["relaunched_as"] == json!([made.body["job_id"]]), "{record}");
    // every field may be absent, so the body may be
    let bare = client.send(client.request(Method::POST, &path)).await?;
    ensure!(bare.status == 202, "{bare:?}");

    for (changes, pointer) in [
        (json!({"hosts": "some"}), "/hosts"),
        (json!({"hosts": "failed", "limit": "a"}), "/limit"),
        (json!({"limit": "@/etc/passwd"}), "/options/limit"),
        (
            json!({"extra_vars": {"a": {"__ansible_unsafe": "x"}}}),
            "/extra_vars/a/__ansible_unsafe",
        ),
        (json!({"check": "yes"}), "/check"),
        (json!({"playbook": "count.yml"}), "/playbook"),
        (json!([]), ""),
    ] {
        refused(&client, first, &changes, pointer).await?;
    }
    let unknown = relaunch(&client, "01890000-0000-7000-8000-000000000000", &json!({})).await?;
    ensure!(unknown.status == StatusCode::NOT_FOUND, "{unknown:?}");
    client.ended(id(&bare.body)?).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_repeats_only_what_it_may_run() -> anyhow::Result<()> {
    let (service, _data, key) = crate::start_with_key().await?;
    let admin = service.client().showing(&key);
    let job = admin
        .run(&json!({"playbook": "count.yml", "extra_vars": {"numbers": 1}}))
        .await?;
    let first = id(&job)?;
    for (scopes, status) in [
        (json!(["jobs:read", "jobs:run[playbook=hello.yml]"]), 403),
        (json!(["jobs:run[playbook=count.yml]"]), 403),
        (
            json!(["jobs:read", "jobs:run[playbook=count.yml,inventory=localhost]"]),
            202,
        ),
    ] {
        let name = format!("ci-{status}-{}", scopes.to_string().len());
        let caller = admin.make_key(&json!({"name": name, "scopes": scopes})).await?;
        let answer = relaunch(&caller, first, &json!({})).await?;
        ensure!(answer.status == status, "{scopes}: {answer:?}");
        if status == 202 {
            let record = admin.ended(id(&answer.body)?).await?;
            ensure!(record["submitted_by"] == format!("key:{name}"), "{record}");
        }
    }
    Ok(())
}

async fn refused(client: &Client, job: &str, changes: &Value, pointer: &str) -> anyhow::Result<()> {
    let answer = relaunch(client, job, changes).await?;
    let errors = &answer.body["errors"];
    ensure!(
        answer.status == StatusCode::UNPROCESSABLE_ENTITY && errors[0]["pointer"] == pointer,
        "{changes}: {answer:?}"
    );
    Ok(())
}
