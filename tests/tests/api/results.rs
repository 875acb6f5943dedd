//! `GET /api/v1/jobs/{job_id}/hosts` and `/results`.

use anyhow::{Context, ensure};
use callboard_tests::Client;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Fails on `b`, so that it never comes to `c`; `e` cannot be reached.
const PLAYBOOK: &str = "- hosts: nowhere
- hosts: far
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
- hosts: near
  gather_facts: false
  serial: 1
  tasks:
    - ansible.builtin.set_stats: {data: {hosts: ['{{ inventory_hostname }}']}}
    - ansible.builtin.set_stats: {data: {build: {number: 7}}, aggregate: false}
    - name: Break
      ansible.builtin.shell: echo one >&2; echo two >&2; exit 3
      when: inventory_hostname == 'b'
    - ansible.builtin.command: 'true'
";

fn inline(playbook: &str) -> Value {
    json!({"source": {"type": "inline", "content": playbook}})
}

/// Runs a playbook; returns the record, and what is answered about its results.
async fn results(client: &Client, request: &Value) -> anyhow::Result<(Value, Value)> {
    let record = client.run(request).await?;
    let answer = of(client, &record, "results").await?;
    Ok((record, answer))
}

async fn of(client: &Client, record: &Value, part: &str) -> anyhow::Result<Value> {
    let id = record["job_id"].as_str().context("an id")?;
    let answer = client.get(&format!("/api/v1/jobs/{id}/{part}")).await?;
    ensure!(answer.status == StatusCode::OK, "{part}: {answer:?}");
    Ok(answer.body)
}

fn names(page: &Value) -> Vec<&str> {
    let hosts = page["hosts"].as_array().into_iter().flatten();
    hosts.filter_map(|host| host["host"].as_str()).collect()
}

#[tokio::test]
async fn one_answer_tells_which_host_failed_with_which_message() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let mut request = inline(PLAYBOOK);
    let gone = json!({"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1});
    request["inventory"] = json!({"type": "inline", "data": {
        "near": {"hosts": {"a": null, "b": null, "c": null}, "vars": {"ansible_connection": "local"}},
        "far": {"hosts": {"a": null, "e": gone}},
    }});
    let (record, results) = results(&client, &request).await?;
    for part in ["job_id", "status", "reason", "error"] {
        ensure!(results[part] == record[part], "{part}: {results}");
    }
    let counts = json!({"failed": 1, "unreachable": 1, "not_reached": 1, "changed": 1, "ok": 0});
    ensure!(results["hosts"] == counts, "{results}");
    let output = json!({"hosts": ["a", "b"], "build": {"number": 7}});
    ensure!(
        results["output"] == output && results["output_truncated"] == false,
        "{results}"
    );
    ensure!(
        record["result"]["output"] == output && record["result"]["output_truncated"] == false,
        "{record}"
    );
    let failure = &results["failures"][1];
    ensure!(
        failure["host"] == "b" && failure["task"] == "Break" && failure["line"] == 12 && failure["rc"] == 3,
        "{results}"
    );
    ensure!(
        failure["stderr"] == "two" && failure["stderr_tail"] == "one\ntwo",
        "{results}"
    );
    ensure!(record["result"]["failures"] == results["failures"], "{record}");
    let warnings = results["warnings"]["texts"].to_string();
    ensure!(
        warnings.contains("ignoring: nowhere") && results["deprecations"] == json!({"count": 0, "texts": []}),
        "{results}"
    );

    let all = of(&client, &record, "hosts").await?;
    ensure!(names(&all) == ["a", "b", "c", "e"] && all["total"] == 4, "{all}");
    let states: Vec<&Value> = all["hosts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|host| &host["state"])
        .collect();
    ensure!(states == ["changed", "failed", "not_reached", "unreachable"], "{all}");
    ensure!(
        all["hosts"][1]["failure"] == *failure && all["hosts"][0]["failure"].is_null(),
        "{all}"
    );
    ensure!(all["hosts"][1]["counts"] == record["result"]["stats"]["b"], "{all}");
    let first = of(&client, &record, "hosts?state=unreachable,failed&state=changed&limit=2").await?;
    ensure!(names(&first) == ["a", "b"] && first["total"] == 3, "{first}");
    let cursor = first["next_cursor"].as_str().context("a cursor")?;
    let next = of(
        &client,
        &record,
        &format!("hosts?state=failed,unreachable,changed&limit=2&cursor={cursor}"),
    )
    .await?;
    ensure!(names(&next) == ["e"] && next["next_cursor"].is_null(), "{next}");
    let id = record["job_id"].as_str().context("an id")?;
    for wrong in ["state=gone", "state=", &format!("cursor={cursor}"), "limit=0"] {
        let answer = client.get(&format!("/api/v1/jobs/{id}/hosts?{wrong}")).await?;
        ensure!(answer.status == StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_output_that_the_record_has_no_room_for_is_whole_among_the_results() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let setting = |value: &str| {
        inline(&format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.set_stats: {{data: {{value: \"{{{{ {value} }}}}\"}}}}\n"
        ))
    };
    let absent = |result: &Value| result["output"].is_null() && result["output_truncated"] == true;
    for large in ["'x' * 100000", "([1] * 40000)"] {
        let (record, results) = results(&client, &setting(large)).await?;
        ensure!(absent(&record["result"]), "{large}: {record}");
        let value = &results["output"]["value"];
        let length = value.as_str().map(str::len).or(value.as_array().map(Vec::len));
        ensure!(
            length.is_some_and(|length| length >= 40_000) && results["output_truncated"] == false,
            "{large}: {length:?}"
        );
    }
    // a recap that is too large for its event leaves what was counted on the way
    let mut huge = setting("'x' * 2000000");
    let hosts: Value = (0..10)
        .map(|number| (format!("{}{number}", "h".repeat(4000)), Value::Null))
        .collect();
    huge["inventory"] = json!({"type": "inline", "data": {"all": {"hosts": hosts}}});
    let (record, told) = results(&client, &huge).await?;
    ensure!(absent(&record["result"]) && absent(&told), "{}", told["error"]);
    ensure!(
        told["status"] == "successful" && told["hosts"]["ok"] == 10,
        "{}",
        told["hosts"]
    );

    let (record, told) = results(&client, &json!({"playbook": "hello.yml"})).await?;
    ensure!(
        told["output"].is_null() && told["output_truncated"] == false && told["failures"] == json!([]),
        "{told}"
    );
    ensure!(record["result"]["output"].is_null(), "{record}");
    Ok(())
}

#[tokio::test]
async fn what_a_job_has_not_ended_with_is_not_there_yet() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let waiting = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": data.path().join("go")}});
    let id = client.submit(&waiting).await?;
    let job = json!({"job_id": id});
    let (hosts, results) = (of(&client, &job, "hosts").await?, of(&client, &job, "results").await?);
    ensure!(hosts["hosts"] == json!([]) && hosts["total"] == 0, "{hosts}");
    ensure!(
        results["output"].is_null() && results["failures"] == json!([]),
        "{results}"
    );
    std::fs::write(data.path().join("go"), "")?;
    client.ended(&id).await?;
    ensure!(names(&of(&client, &job, "hosts").await?) == ["localhost"]);
    let unknown = client
        .get("/api/v1/jobs/01890000-0000-7000-8000-000000000000/results")
        .await?;
    ensure!(unknown.status == StatusCode::NOT_FOUND, "{unknown:?}");
    Ok(())
}
