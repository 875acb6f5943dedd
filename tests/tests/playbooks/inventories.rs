//! Inventories: lists of hosts, groups with variables and children, and very many hosts.

use anyhow::ensure;
use callboard_tests::Service;
use serde_json::{Map, Value, json};

#[tokio::test]
async fn groups_give_their_hosts_variables_and_a_nearer_group_wins() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let inventory = json!({"type": "inline", "data": {
        "all": {"vars": {"ansible_connection": "local", "http_port": 80, "colour": "none"}},
        "web": {
            "vars": {"colour": "green"},
            "hosts": {"web1": {"http_port": 8080}},
            "children": {"edge": {"hosts": {"edge[1:2]": null}, "vars": {"colour": "blue"}}},
        },
        "database": {"hosts": {"db1": null}},
    }});
    let request = json!({"playbook": "features/groups.yml", "inventory": inventory, "options": {"forks": 1}});
    let played = crate::play(&service.client(), &request).await?;
    for expected in [
        "web1 8080 green web",
        "edge1 80 blue edge+web",
        "edge2 80 blue edge+web",
    ] {
        ensure!(played.log.contains(&format!("\"{expected}\"")), "{}", played.log);
    }
    ensure!(!played.log.contains("db1"), "{}", played.log);
    Ok(())
}

#[tokio::test]
async fn a_list_of_hosts_is_worked_on_in_its_order() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    for (list, expected) in [
        (json!("localhost,"), vec!["localhost"]),
        (json!("b,a,"), vec!["b", "a"]),
        (json!("b, a"), vec!["b", "a"]),
        (json!("ü.example,10.0.0.1,"), vec!["ü.example", "10.0.0.1"]),
        (
            json!(["a,", {"type": "inline", "data": {"more": {"hosts": {"b": null}}}}]),
            vec!["a", "b"],
        ),
    ] {
        let request = json!({"playbook": "features/many_hosts.yml", "inventory": list, "options": {"forks": 1}});
        let played = crate::play(&service.client(), &request).await?;
        let told = played.log.lines().filter_map(|line| line.strip_prefix("ok: ["));
        let told: Vec<&str> = told.filter_map(|line| line.split(']').next()).collect();
        ensure!(told == expected, "{list}: {}", played.log);
    }
    Ok(())
}

#[tokio::test]
async fn a_thousand_hosts_are_all_counted() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let hosts: Map<String, Value> = (0..1000)
        .map(|number| (format!("host{number:04}"), json!({})))
        .collect();
    let request = json!({"playbook": "features/many_hosts.yml", "inventory": crate::hosts(&json!(hosts))});
    let played = crate::play(&service.client(), &request).await?;
    ensure!(played.job["status"] == "successful", "{}", played.job["error"]);
    for host in hosts.keys() {
        ensure!(played.job["result"]["stats"][host]["ok"] == 1, "{host} is not counted");
        ensure!(
            played.log.contains(&format!("\"msg\": \"{host}\"")),
            "{host} is not told"
        );
    }
    Ok(())
}
