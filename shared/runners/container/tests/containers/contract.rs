//! The contract of runners.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bollard::query_parameters::KillContainerOptionsBuilder;
use callboard_core::output::LogStore;
use callboard_core::request::JobRequest;
use callboard_core::run::Runner;
use callboard_testkit::contract::runner::TestRunner;
use callboard_testkit::processes::descendants;
use serde_json::json;

use crate::world::{IMAGE, PLAIN, TOKEN, World, request, script};

struct Containers(Arc<World>);

async fn make() -> anyhow::Result<(Containers, ())> {
    Ok((Containers(Arc::new(World::new().await?)), ()))
}

#[expect(clippy::panic, reason = "what makes requests has no error to return")]
fn made(request: anyhow::Result<JobRequest>) -> JobRequest {
    request.unwrap_or_else(|error| panic!("{error:#}"))
}

impl Containers {
    /// Writes the id of the container's process that runs a program to a file, once that is there: a container sees neither its
    /// processes' ids on the host nor the host's files. Then it sends a signal, if one is given.
    fn write_pid(&self, program: &'static str, after: &'static str, file: &Path, signal: Option<&'static str>) {
        let (world, file) = (Arc::clone(&self.0), file.to_owned());
        tokio::spawn(async move {
            while !written(&world, program, after, &file, signal).await.unwrap_or_default() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
}

/// Returns whether the process was found.
async fn written(
    world: &World,
    program: &str,
    after: &str,
    file: &PathBuf,
    signal: Option<&str>,
) -> anyhow::Result<bool> {
    let containers = world.containers(&world.instance).await?;
    let id = containers.first().and_then(|container| container.id.as_deref());
    let seen = world.docker.inspect_container(id.context("a container")?, None).await?;
    let first = seen.state.and_then(|state| state.pid).filter(|pid| *pid > 0);
    let first = first.context("a process")?;
    let below = descendants(u32::try_from(first)?);
    let find = |program: &str| below.iter().find(|process| line(process.pid).starts_with(program));
    let (Some(process), Some(_)) = (find(program), find(after)) else {
        return Ok(false);
    };
    fs::write(file, format!("{}\n", process.pid))?;
    if let (Some(signal), Some(id)) = (signal, id) {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        world.docker.kill_container(id, Some(options)).await?;
    }
    Ok(true)
}

/// Returns the command line of a process.
fn line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

impl TestRunner for Containers {
    fn runner(&self) -> Arc<dyn Runner> {
        self.0.runner.clone()
    }

    fn logs(&self, folder: &Path) -> Arc<dyn LogStore> {
        self.0.logs(folder)
    }

    fn prints(&self, lines: &[String]) -> JobRequest {
        let config =
            json!({"image": IMAGE, "pull": "never", "stdin": "input", "command": ["/bin/cat"], "output": "json"});
        made(request(
            PLAIN,
            &format!("runner_config: {config}"),
            &json!({"lines": lines}),
        ))
    }

    fn fails(&self) -> JobRequest {
        made(request(PLAIN, &script("exit 3"), &json!({})))
    }

    fn leaves(&self, pid_file: &Path) -> JobRequest {
        self.write_pid("sleep 600", "sleep 600", pid_file, Some("SIGUSR1"));
        let leaving = "trap 'exit 0' USR1; setsid sleep 600 & while :; do sleep 0.1; done";
        made(request(PLAIN, &script(leaving), &json!({})))
    }

    fn works(&self, pid_file: &Path, deaf: bool) -> JobRequest {
        // its child is there only once the trap is set
        self.write_pid("/bin/sh", "sleep 0.1", pid_file, None);
        let trap = if deaf { "trap '' TERM; " } else { "" };
        made(request(
            PLAIN,
            &script(&format!("{trap}while :; do sleep 0.1; done")),
            &json!({}),
        ))
    }

    fn tells(&self) -> (JobRequest, String) {
        let config = json!({
            "image": IMAGE, "pull": "never", "environment": {"TOKEN": {"credential": "t"}},
            "command": ["/bin/sh", "-c"], "args": ["echo it is $TOKEN, you know; echo $TOKEN >&2"],
        });
        (
            made(request(PLAIN, &format!("runner_config: {config}"), &json!({}))),
            TOKEN.to_owned(),
        )
    }
}

callboard_testkit::runner_contract!(make);
