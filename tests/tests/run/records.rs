//! `list`, `show` and `logs`: the jobs of a data folder, without a service and beside one.

use std::process::Stdio;

use anyhow::{Context, ensure};
use callboard_tests::{Finished, Service, callboard, wait};
use serde_json::{Value, json};

use crate::terminal::on_terminal;
use crate::{Desk, playbook, say};

const UNKNOWN: &str = "01a1faf8-50a0-70a1-801c-2d3e4f506172";

fn id(job: &Value) -> anyhow::Result<String> {
    Ok(job["job_id"].as_str().context("a job has an id")?.to_owned())
}

fn items(list: &Finished) -> anyhow::Result<Vec<Value>> {
    Ok(list
        .stdout
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

#[tokio::test]
async fn what_a_run_leaves_is_told_as_a_service_tells_it() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("good.yml", &say("größe"))?;
    let good = desk.run(&["good.yml"])?;
    let failing = playbook("features/failing.yml");
    desk.run(&[&failing, "-i", "bad,", "-e", "ansible_connection=local"])?;

    let list = items(&desk.call(&["list"])?)?;
    ensure!(
        list.len() == 2 && list[0]["status"] == "failed" && list[1]["playbook"] == "good.yml",
        "{list:?}"
    );
    ensure!(items(&desk.call(&["list", "--status", "successful"])?)? == list[1..]);
    ensure!(items(&desk.call(&["list", "-n", "1"])?)? == list[..1]);
    let (bad, fine) = (id(&list[0])?, id(&list[1])?);
    let logs = desk.call(&["logs", &fine, "--follow"])?;
    ensure!(
        logs.code == 0 && !logs.stdout.is_empty() && good.stdout.contains(&logs.stdout),
        "{logs:?} {good:?}"
    );
    ensure!(desk.call(&["logs", &fine, "--attempt", "1"])?.stdout == logs.stdout);
    let record: Value = serde_json::from_str(&desk.call(&["show", &bad])?.stdout)?;
    for (arguments, told) in [
        (vec!["logs", &fine, "--attempt", "2"], "has no attempt 2"),
        (vec!["logs", UNKNOWN], "there is no job"),
        (vec!["show", UNKNOWN], "there is no job"),
        (vec!["show", "nonsense"], "is not a job id"),
    ] {
        let call = desk.call(&arguments)?;
        ensure!(
            call.code == 1 && call.stderr.contains(told) && call.stdout.is_empty(),
            "{call:?}"
        );
    }

    let service = Service::start_in(desk.data.path(), &[])?;
    let client = service.client();
    ensure!(client.job(&bad).await? == record);
    ensure!(client.logs(&fine).await? == logs.stdout.as_bytes());
    let answer = client.get("/api/v1/jobs").await?.body;
    ensure!(answer["jobs"] == json!(list), "{answer}");
    Ok(())
}

#[test]
fn a_terminal_gets_a_table_and_a_summary() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let failing = playbook("features/failing.yml");
    desk.run(&[&failing, "-i", "bad,good,", "-e", "ansible_connection=local"])?;
    let id = id(&desk.newest()?)?;
    let terminal = |arguments: &str| -> anyhow::Result<Finished> {
        Ok(on_terminal(desk.data.path(), arguments)?
            .stdin(Stdio::null())
            .output()?
            .into())
    };
    let list = terminal("list")?;
    ensure!(
        list.stdout.lines().next().is_some_and(|line| line.starts_with("JOB ")),
        "{list:?}"
    );
    let row = list.stdout.lines().nth(1).unwrap_or_default();
    ensure!(
        row.starts_with(&format!("{id}  failed ")) && row.contains(" failing.yml (playbook_failed)"),
        "{list:?}"
    );
    let show = terminal(&format!("show {id}"))?;
    for line in [
        "status    failed (playbook_failed)",
        "error     1 of 2 hosts failed: bad in task",
        "host      bad: ok=1 changed=0 failed=1",
        "host      good: ok=2 changed=0 skipped=1",
    ] {
        ensure!(
            show.stdout.lines().any(|told| told.starts_with(line)),
            "{line}: {show:?}"
        );
    }
    let json = terminal(&format!("show {id} --json"))?;
    ensure!(json.stdout.starts_with('{'), "{json:?}");

    let setting = desk.data.path().join("setting.yml");
    let text = "- hosts: nowhere\n- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.set_stats: {data: {build: 7}}}]\n";
    std::fs::write(&setting, text)?;
    desk.run(&[&setting.display().to_string(), "-i", "good,"])?;
    let show = terminal(&format!("show {}", self::id(&desk.newest()?)?))?;
    for line in ["set       {\"build\":7}", "warnings  1"] {
        ensure!(show.stdout.lines().any(|told| told == line), "{line}: {show:?}");
    }
    Ok(())
}

/// The job runs in a service; who follows sees the end before anything else tells of it.
#[tokio::test]
async fn logs_follow_a_job_of_a_running_service_to_its_end() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let (client, file) = (service.client(), data.path().join("go"));
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}});
    let job = client.submit(&request).await?;
    let mut command = callboard(data.path())?;
    let shown = data.path().join("shown");
    command
        .args(["logs", &job, "--follow"])
        .stdout(std::fs::File::create(&shown)?);
    let mut follower = command.spawn()?;
    wait::until("the task is shown", || {
        std::fs::read_to_string(&shown).is_ok_and(|text| text.contains("TASK ["))
    })
    .await?;
    ensure!(follower.try_wait()?.is_none(), "it did not wait");
    std::fs::write(&file, "")?;
    client.ended(&job).await?;
    ensure!(follower.wait()?.success());
    ensure!(std::fs::read(&shown)? == client.logs(&job).await?);
    Ok(())
}
