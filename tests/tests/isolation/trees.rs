//! Trees that resist: however deep, wide or closed what a job leaves is, it goes, and the service with its other jobs goes on.

use std::fs;

use anyhow::ensure;
use callboard_tests::{Service, wait};
use serde_json::json;

use crate::job_folders;

#[tokio::test]
async fn a_tree_that_no_path_reaches_is_removed_and_hurts_nobody() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let (service, _data) = Service::start(&["--work", &work.path().display().to_string()])?;
    let client = service.client();
    for (kind, number) in [("deep", 15_000), ("closed", 1_500), ("wide", 20_000)] {
        let vars = json!({"kind": kind, "number": number});
        let job = client
            .run(&json!({"playbook": "isolation/trees.yml", "extra_vars": vars}))
            .await?;
        ensure!(job["status"] == "successful", "{kind}: {job}");
        let ready = client.get("/health/ready").await?;
        ensure!(ready.status == 200, "{kind}: {ready:?}");
    }
    wait::until("all is removed", || job_folders(work.path()).is_empty()).await?;
    ensure!(!service.log().contains("ERROR"), "{}", service.log());
    Ok(())
}

#[tokio::test]
async fn what_an_earlier_process_has_left_goes_while_the_service_starts() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let arguments = ["--work", &work.path().display().to_string()];
    let (service, data) = Service::start(&arguments)?;
    let shared = work.path().join(format!("cb-{}", rustix::process::getuid().as_raw()));
    drop(service);
    // no process has this id
    let left = shared.join("4194304/00000000-1/home");
    fs::create_dir_all(&left)?;
    fs::write(left.join("password"), "x")?;
    let _service = Service::start_in(data.path(), &arguments)?;
    wait::until("it is removed", || job_folders(work.path()).is_empty()).await?;
    ensure!(!shared.join("4194304").exists());
    Ok(())
}
