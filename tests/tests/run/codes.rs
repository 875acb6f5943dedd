//! How a run ends, and what it says of it.

use std::process::Stdio;

use anyhow::{Context, ensure};
use callboard_tests::{Finished, Service, callboard, processes, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::{Desk, playbook};

#[test]
fn the_exit_code_is_ansibles_and_the_last_line_tells_the_counts() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write(
        "hosts.yml",
        "all: {hosts: {good: {}, bad: {}}, vars: {ansible_connection: local}}",
    )?;
    let gone = "all: {hosts: {gone: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_connection: ssh}}}";
    desk.write("gone.yml", gone)?;
    let broken = desk.write("broken.yml", "- hosts: all\n  tasks:\n    - name: a\n     debug:\n")?;
    let broken = broken.display().to_string();
    let failing = playbook("features/failing.yml");
    let syntax = " In broken.yml, line 4, column 11.";
    let failed = "bad: ok=1 changed=0 failed=1, good: ok=2 changed=0 skipped=1: 1 of 2 hosts failed: \
                  bad in task \"Check the disk\" (failing.yml:9): The disk of bad is full.";
    for (code, playbook, inventory, start, end) in [
        (
            0,
            playbook("hello.yml"),
            "localhost,",
            "successful in ",
            ", localhost: ok=1 changed=0",
        ),
        (2, failing.clone(), "hosts.yml", "failed in ", failed),
        (4, failing, "gone.yml", "failed in ", "port 1: Connection refused"),
        (4, broken, "localhost,", "failed in ", syntax),
    ] {
        let run = desk.run(&[&playbook, "-i", inventory])?;
        let line = run.stderr.lines().last().unwrap_or_default();
        ensure!(
            run.code == code && line.starts_with(start) && line.ends_with(end),
            "{run:?}"
        );
        ensure!(line.contains(" s, job 0"), "{line}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_run_says_so_before_anything_is_recorded() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let hello = playbook("hello.yml");
    for (code, arguments, message) in [
        (1, vec!["no.yml"], "callboard: the playbook no.yml is not there"),
        (
            1,
            vec![&*hello, "-i", "web"],
            "there is no inventory web (for a list of hosts add a comma: -i web,)",
        ),
        (2, vec![&*hello, "--nonsense"], "unexpected argument '--nonsense' found"),
        (
            2,
            vec![&*hello, "--forks", "0"],
            "invalid value '0' for '--forks <FORKS>'",
        ),
        (2, vec![], "<PLAYBOOK>"),
    ] {
        let run = desk.run(&arguments)?;
        ensure!(
            run.code == code && run.stderr.contains(message) && run.stdout.is_empty(),
            "{run:?}"
        );
    }
    ensure!(std::fs::read_dir(desk.data.path())?.next().is_none());
    Ok(())
}

#[tokio::test]
async fn a_signal_ends_everything_that_the_playbook_has_started() -> anyhow::Result<()> {
    for (signal, code, by) in [
        (Signal::INT, 130, "by SIGINT at "),
        (Signal::TERM, 143, "by SIGTERM at "),
        (Signal::HUP, 129, "by SIGHUP at "),
    ] {
        ends(signal, code, by).await?;
    }
    Ok(())
}

async fn ends(signal: Signal, code: i32, by: &str) -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let marker = format!("interrupted-{code}-{}", std::process::id());
    desk.write("marker.yml", &format!("marker: {marker}"))?;
    let mut command = callboard(desk.data.path())?;
    command.args(["run", &playbook("start_daemon.yml"), "-e", "@marker.yml"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.current_dir(desk.folder.path());
    let run = command.spawn()?;
    wait::until("the daemon and the task run", || {
        processes::with_marker(&marker).len() >= 2
    })
    .await?;
    processes::signal(run.id(), signal)?;
    let run = Finished::from(run.wait_with_output()?);
    ensure!(run.code == code, "{run:?}");
    ensure!(processes::with_marker(&marker).is_empty(), "something is left");
    let line = run.stderr.lines().last().unwrap_or_default();
    ensure!(line.starts_with("canceled in ") && line.contains(by), "{line}");
    Ok(())
}

#[test]
fn a_reader_that_is_gone_changes_nothing_about_the_end() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    let mut command = callboard(desk.data.path())?;
    let run: Finished = command
        .args(["run", &playbook("hello.yml")])
        .stdout(full)
        .output()?
        .into();
    ensure!(run.code == 0 && run.stderr.starts_with("successful in "), "{run:?}");
    Ok(())
}

#[test]
fn a_timeout_ends_the_run() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let run = desk.run(&[&playbook("sleep.yml"), "--timeout", "1"])?;
    ensure!(run.code == 124, "{run:?}");
    ensure!(
        run.stderr
            .contains("The job ran longer than its timeout of 1 s and was stopped."),
        "{run:?}"
    );
    Ok(())
}

#[tokio::test]
async fn json_is_one_record_on_standard_output_and_the_same_that_a_later_service_tells() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let failing = playbook("features/failing.yml");
    let run = desk.run(&[
        &failing,
        "-i",
        "localhost,bad,",
        "-e",
        "ansible_connection=local",
        "--json",
    ])?;
    let record: Value = serde_json::from_str(&run.stdout).context("standard output is no JSON")?;
    ensure!(run.code == 2 && record["status"] == "failed", "{run:?}");
    ensure!(run.stderr.contains("TASK [Check the disk] ***"), "{run:?}");
    ensure!(
        run.stderr
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("failed in ")),
        "{run:?}"
    );

    let service = Service::start_in(desk.data.path(), &[])?;
    let id = record["job_id"].as_str().context("a record has an id")?;
    ensure!(service.client().job(id).await? == record);
    let log = service.client().logs(id).await?;
    ensure!(record["result"]["stdout"] == *String::from_utf8(log)?);
    let history = service.client().get("/api/v1/jobs").await?.body;
    ensure!(history["total"] == 1 && history["jobs"][0]["job_id"] == id, "{history}");
    Ok(())
}
