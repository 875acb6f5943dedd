//! What the record says when hosts fail or cannot be reached.

use anyhow::ensure;
use callboard_tests::{Service, events};
use serde_json::{Value, json};

/// An inventory, and what becomes of `failing.yml` on it.
struct Case {
    hosts: Value,
    rc: i32,
    reason: &'static str,
    error: &'static str,
}

fn cases() -> [Case; 4] {
    let gone = json!({"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1});
    [
        Case {
            hosts: json!({"good": {}, "bad": {}}),
            rc: 2,
            reason: "playbook_failed",
            error: r#"1 of 2 hosts failed: bad in task "Check the disk" (features/failing.yml:9): The disk of bad is full."#,
        },
        Case {
            hosts: json!({"good": {}, "bad": {}, "gone": gone}),
            rc: 4,
            reason: "playbook_failed",
            error: r#"1 of 3 hosts failed, 1 unreachable: bad in task "Check the disk" (features/failing.yml:9): The disk of bad is full."#,
        },
        Case {
            hosts: json!({"good": {}, "gone": gone}),
            rc: 4,
            reason: "hosts_unreachable",
            error: r#"1 of 2 hosts unreachable: gone in task "Start" (features/failing.yml:6): Task failed: Failed to connect"#,
        },
        Case {
            hosts: json!({"gone": gone}),
            rc: 4,
            reason: "hosts_unreachable",
            error: r#"1 of 1 host unreachable: gone in task "Start" (features/failing.yml:6): Task failed: Failed to connect"#,
        },
    ]
}

#[tokio::test]
async fn the_error_names_how_many_hosts_failed_and_one_of_them_with_its_task_and_message() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    for Case {
        hosts,
        rc,
        reason,
        error,
    } in cases()
    {
        let request = json!({"playbook": "features/failing.yml", "inventory": crate::hosts(&hosts)});
        let played = crate::play(&client, &request).await?;
        let job = &played.job;
        ensure!(job["status"] == "failed" && job["reason"] == reason, "{hosts}: {job}");
        ensure!(job["result"]["rc"] == rc, "{hosts}: {job}");
        let told = job["error"].as_str().unwrap_or_default();
        ensure!(told.starts_with(error), "{hosts}: {told:?}");
        for host in hosts.as_object().into_iter().flat_map(|hosts| hosts.keys()) {
            let counts = &job["result"]["stats"][host];
            let expected = (i32::from(host == "bad"), i32::from(host == "gone"));
            ensure!(
                counts["failures"] == expected.0 && counts["dark"] == expected.1,
                "{host}: {job}"
            );
        }
        let events = client.events(&played.id).await?;
        let dark = events::of_kind(&events, "runner_on_unreachable").len();
        ensure!(dark == usize::from(hosts["gone"].is_object()), "{events:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_need_not_be_reached_is_no_failure() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let client = service.client();
    let gone = json!({"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1});
    let request = json!({
        "playbook": "features/ignored_unreachable.yml", "inventory": crate::hosts(&json!({"gone": gone})),
        "options": {"timeout": 20},
    });
    let job = client.run(&request).await?;
    ensure!(job["reason"] == "timeout", "{job}");
    let counts = &job["result"]["stats"]["gone"];
    ensure!(
        counts["ok"] == 1 && counts["ignored"] == 1 && counts["dark"] == 0,
        "{job}"
    );
    ensure!(
        job["progress"]["hosts_failed"] == 0 && job["result"]["failures"] == json!([]),
        "{job}"
    );
    let id = job["job_id"].as_str().unwrap_or_default();
    let events = async |query| client.get(&format!("/api/v1/jobs/{id}/events?{query}")).await;
    let told = events("event=runner_on_unreachable").await?;
    ensure!(
        told.body["events"][0]["event_data"]["ignore_unreachable"] == true,
        "{told:?}"
    );
    let failed = events("failed=true").await?;
    ensure!(failed.body["events"] == json!([]), "{failed:?}");
    Ok(())
}
