//! Systems without namespaces, and services that die.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use callboard_testkit::processes::{descendants, signal, with_variable};
use callboard_testkit::wait::until;
use rustix::process::Signal;
use serde_json::json;

use crate::world::{launcher, runner, script};

/// Names the launcher of the service that is to die, in its variables.
const LAUNCHER: &str = "CALLBOARD_TEST_LAUNCHER";
/// Names the mark of its job, and its folder.
const MARK: &str = "CALLBOARD_TEST_MARK";

/// Makes a launcher that can make no namespaces, as on a system that forbids them: where as many as there may be is none.
fn without_namespaces(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("launcher");
    let inner = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec {} \"$@\"",
        launcher().display()
    );
    fs::write(
        &path,
        format!("#!/bin/sh\nexec unshare --user --map-root-user sh -c '{inner}' sh \"$@\"\n"),
    )?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok(path)
}

#[tokio::test]
async fn without_namespaces_a_program_runs_unless_they_are_demanded() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let launcher = without_namespaces(folder.path())?;
    let mark = folder.path().join("mark");
    let service = script(&format!("echo > {}", mark.display())).launcher(&launcher);
    let service = service.policy("write_paths", json!([folder.path()]));
    let run = service.clone().run().await?;
    ensure!(run.is_successful() && mark.exists(), "{run:?}");
    ensure!(
        !run.isolation().contains("namespace") && run.isolation().contains("landlock"),
        "{run:?}"
    );
    fs::remove_file(&mark)?;
    for service in [
        service.clone().policy("isolation", json!(["namespaces"])),
        service.policy("network", "none"),
    ] {
        let run = service.run().await?;
        ensure!(
            run.reason() == "isolation_unavailable" && run.error().contains("namespaces"),
            "{run:?}"
        );
        ensure!(!mark.exists(), "it was run");
    }
    Ok(())
}

#[tokio::test]
async fn without_namespaces_nothing_is_left_and_limits_hold_all_the_same() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let launcher = without_namespaces(folder.path())?;
    for (text, reason) in [
        (
            "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM; sleep 600' & done; exit 0",
            "",
        ),
        (
            "i=0; while [ $i -lt 300 ]; do setsid sleep 600 & i=$((i+1)); done; wait",
            "resource_limit",
        ),
        ("kill -9 $PPID; kill -STOP $PPID; exit 0", ""),
    ] {
        let mark = format!("mark-{}", callboard_core::base::id::JobId::new());
        let service = script(text)
            .launcher(&launcher)
            .policy("resource_limits", json!({"processes": 20}));
        let run = service.config("environment", json!({"MARK": mark})).run().await?;
        ensure!(run.reason() == reason, "{text}: {run:?}");
        ensure!(
            with_variable(&format!("MARK={mark}")).is_empty(),
            "{text}: something is left"
        );
    }
    Ok(())
}

/// A service with a job that goes on, which another test kills.
#[tokio::test]
#[ignore = "is started by another test"]
async fn a_service_that_is_to_die() -> anyhow::Result<()> {
    let variable = |name| std::env::var(name).context("it is started by another test");
    let text =
        "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM; sleep 600' & done; trap '' TERM; while :; do sleep 1; done";
    let service = script(text).launcher(Path::new(&variable(LAUNCHER)?));
    service
        .config("environment", json!({"MARK": variable(MARK)?}))
        .run()
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_killed_leaves_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for launcher in [launcher(), without_namespaces(folder.path())?] {
        let mark = format!("mark-{}", callboard_core::base::id::JobId::new());
        let mut service = Command::new(std::env::current_exe()?)
            .args(["--exact", "lost::a_service_that_is_to_die", "--ignored"])
            .env(LAUNCHER, &launcher)
            .env(MARK, &mark)
            .stdout(Stdio::null())
            .spawn()?;
        let variable = format!("MARK={mark}");
        let begun = until("its job works", || with_variable(&variable).len() >= 7).await;
        signal(service.id(), Signal::KILL)?;
        service.wait()?;
        begun?;
        until("nothing of it is left", || with_variable(&variable).is_empty()).await?;
    }
    Ok(())
}

/// Returns the processes between this one and a descendant: the launcher, and the one that it has made for the job.
fn launcher_of(pid: u32) -> Option<[u32; 2]> {
    let own = std::process::id();
    let all = descendants(own);
    let mut at = all.iter().find(|process| process.pid == pid)?;
    let mut below = at;
    while at.parent != own {
        below = at;
        at = all.iter().find(|process| process.pid == at.parent)?;
    }
    Some([at.pid, below.pid])
}

#[tokio::test]
async fn a_launcher_that_is_killed_costs_no_job() -> anyhow::Result<()> {
    let runner = runner(launcher())?;
    let mark = format!("mark-{}", callboard_core::base::id::JobId::new());
    let variable = format!("MARK={mark}");
    let service = script("trap 'echo told; exit 0' USR1; while :; do sleep 0.05; done");
    let service = service.config("environment", json!({"MARK": mark}));
    for _ in 0..2 {
        let killed = async {
            until("the program works", || with_variable(&variable).len() >= 2).await?;
            let program = *with_variable(&variable).iter().min().context("no program")?;
            let [launcher, _] = launcher_of(program).context("no launcher")?;
            signal(launcher, Signal::KILL)?;
            until("it is gone", || !Path::new(&format!("/proc/{launcher}/exe")).exists()).await?;
            signal(program, Signal::USR1)?;
            std::future::pending::<anyhow::Result<()>>().await
        };
        let run = service.run_by(&runner, killed).await?;
        ensure!(run.is_successful() && run.stdout.contains("told"), "{run:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_launcher_s_process_that_is_killed_leaves_nothing() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for launcher in [launcher(), without_namespaces(folder.path())?] {
        let mark = format!("mark-{}", callboard_core::base::id::JobId::new());
        let variable = format!("MARK={mark}");
        let text = "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM; sleep 600' & done; while :; do sleep 1; done";
        let service = script(text).launcher(&launcher);
        let service = service.config("environment", json!({"MARK": mark}));
        let killed = async {
            until("the program works", || with_variable(&variable).len() >= 7).await?;
            let program = with_variable(&variable).first().copied().context("no program")?;
            let [_, of_job] = launcher_of(program).context("no launcher")?;
            signal(of_job, Signal::KILL)?;
            std::future::pending::<anyhow::Result<()>>().await
        };
        let run = service.run_until(killed).await?;
        ensure!(
            run.reason() == "runner_error" && run.error().contains("without a report"),
            "{run:?}"
        );
        ensure!(with_variable(&variable).is_empty(), "something is left");
    }
    Ok(())
}
