//! Hosts and groups that stand in the request.

use anyhow::{Context, ensure};
use callboard_tests::Service;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::site;

#[tokio::test]
async fn the_record_tells_what_ansible_made_of_hosts_in_the_request() -> anyhow::Result<()> {
    let site = site(&[])?;
    let children = json!({"edge": {"hosts": {"edge[1:2]": null}, "vars": {"rank": 3}}});
    for (inventory, summary, told) in [
        (
            json!("localhost,"),
            json!([1, 0, {}, ["localhost"]]),
            vec!["localhost ungrouped - - -"],
        ),
        (
            json!("b, a"),
            json!([2, 0, {}, ["b", "a"]]),
            vec!["b ungrouped - - -", "a ungrouped - - -"],
        ),
        (
            json!({"type": "inline", "data": {
                "all": {"vars": {"site": "here"}},
                "web": {"hosts": {"w1": {"rank": 1}, "w2": null}, "vars": {"tier": "front"}, "children": children},
            }}),
            json!([4, 2, {"edge": 2, "web": 4}, ["w1", "w2", "edge1", "edge2"]]),
            vec![
                "w1 web here front 1",
                "w2 web here front -",
                "edge1 edge+web here front 3",
                "edge2 edge+web here front 3",
            ],
        ),
        (
            json!({"type": "inline", "hosts": ["a", "b"], "groups": {"web": ["b", "c"], "none": []}, "host_vars": {
                "b": {"tier": "{{ rank * 2 }}", "rank": 21}, "c": {"site": "größe 🦀"},
            }}),
            json!([3, 2, {"none": 0, "web": 2}, ["a", "b", "c"]]),
            vec!["a ungrouped - - -", "b web - 42 21", "c web größe 🦀 - -"],
        ),
    ] {
        let played = site.play(&crate::show(&inventory)).await?;
        ensure!(played.job["status"] == "successful", "{inventory}: {}", played.log);
        let mut messages = played.messages();
        ensure!(
            same(&mut messages, told.clone()),
            "{inventory}: {messages:?}, not {told:?}"
        );
        let told = &played.job["result"]["inventory"];
        let told = json!([told["hosts"], told["groups"], told["group_hosts"], told["host_names"]]);
        ensure!(told == summary, "{inventory}: {told}");
    }
    Ok(())
}

fn same(one: &mut [&str], mut other: Vec<&str>) -> bool {
    one.sort_unstable();
    other.sort_unstable();
    one == other
}

#[tokio::test]
async fn names_of_hosts_are_never_run_or_taken_for_flags() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let dir = tempfile::tempdir()?;
    let touched = dir.path().join("touched");
    let touch = format!("touch {}", touched.display());
    let names = [
        format!("{{{{ lookup('pipe', '{touch}') }}}}"),
        format!("-oProxyCommand={touch}"),
        format!("x;{touch}"),
        format!("$({touch})"),
        "../../../etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        "--version".to_owned(),
        "plugin".to_owned(),
        "@/etc/passwd".to_owned(),
    ];
    let vars = json!({"ansible_connection": "ssh", "ansible_timeout": 2});
    for name in names {
        for inventory in [
            json!({"type": "inline", "hosts": [name], "host_vars": {&name: vars}}),
            json!({"type": "inline", "data": {"all": {"hosts": {&name: vars}}}}),
            json!({"type": "inline", "data": {"all": {"vars": vars, "children": {&name: {"hosts": {"127.0.0.1:1": null}}}}}}),
            json!(format!("{name},")),
        ] {
            let playbook = "- {hosts: all, gather_facts: false, tasks: [{ping: }]}";
            let request = json!({"source": {"type": "inline", "content": playbook}, "inventory": inventory});
            let Some(job) = run_unless_refused(&service, &request).await? else {
                continue;
            };
            ensure!(job["status"] == "failed", "{inventory}: {job}");
            let reason = job["reason"].as_str().unwrap_or_default();
            let known = ["hosts_unreachable", "inventory_invalid", "playbook_failed"];
            ensure!(known.contains(&reason), "{inventory}: {job}");
            ensure!(!touched.exists(), "{inventory} ran something: {job}");
        }
    }
    Ok(())
}

/// A name with a comma in it is refused where hosts are listed.
async fn run_unless_refused(service: &Service, request: &Value) -> anyhow::Result<Option<Value>> {
    let (client, body) = (service.client(), request.to_string());
    let answer = client.post("/api/v1/jobs", body).await?;
    if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
        let faults = answer.body["errors"].to_string();
        ensure!(faults.contains("must be one host"), "{request}: {faults}");
        return Ok(None);
    }
    let id = answer.body["job_id"].as_str().context("an accepted job has an id")?;
    Ok(Some(client.ended(id).await?))
}

#[tokio::test]
async fn an_inventory_without_hosts_fails_the_job() -> anyhow::Result<()> {
    let site = site(&[])?;
    let empty: [Value; 2] = [
        json!(["a,", {"type": "inline", "data": {"web": {"hosts": {}}}}]),
        json!({"type": "inline", "data": {"web": {"hosts": {}}}}),
    ];
    for inventory in empty {
        let faults = site.refused(&crate::show(&inventory)).await?;
        ensure!(faults.to_string().contains("names no host"), "{inventory}: {faults}");
    }
    Ok(())
}
