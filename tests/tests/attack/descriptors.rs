//! Too few open files.

use std::fs;

use anyhow::{Context, ensure};
use callboard_tests::Service;
use serde_json::json;

#[tokio::test]
async fn a_job_that_cannot_start_for_want_of_open_files_waits_and_then_runs() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "1"])?;
    let client = service.client();
    // a first job opens what is kept open
    client.run(&json!({"playbook": "nothing.yml"})).await?;
    let allowed = crate::limit_files(service.pid(), 3)?;
    let id = crate::put_back(&service, &client).await?;
    crate::limit_files(service.pid(), allowed)?;
    crate::starts_once(&client, &id).await
}

#[tokio::test]
async fn the_limit_is_raised_at_the_start_and_one_too_low_is_told() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", service.pid()))?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let mut limits = line.context("a limit of open files")?.split_whitespace();
    let (now, most) = (limits.next().context("a limit")?, limits.next().context("a limit")?);
    ensure!(now == most || now == "65536", "{now} of {most}");
    let error = match crate::start_within(150, &[]) {
        Ok(_) => anyhow::bail!("150 open files are taken for enough"),
        Err(error) => format!("{error:#}"),
    };
    ensure!(
        error.contains("150 open files are allowed") && error.contains("ulimit -n"),
        "{error}"
    );
    Ok(())
}
