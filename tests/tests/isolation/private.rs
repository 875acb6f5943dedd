//! What only a job itself, or only the service, may know.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::{Service, callboard, wait};
use serde_json::json;

#[tokio::test]
async fn the_variables_of_the_service_are_not_the_jobs() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut command = callboard(data.path())?;
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(callboard_tests::playbooks());
    command
        .env("AWS_SECRET_ACCESS_KEY", "of-the-service")
        .env("DATABASE_URL", "of-the-service");
    command
        .env("LC_TIME", "C.UTF-8")
        .env("HTTPS_PROXY", "http://proxy.example:3128");
    let service = Service::spawn(command)?;
    let (seen, module) = crate::look(&service.client()).await?;
    ensure!(seen["secret"] == "", "{seen}");
    ensure!(
        !format!("{seen} {module}").contains("of-the-service"),
        "{seen} {module}"
    );
    ensure!(!format!("{seen} {module}").contains("CALLBOARD_"), "{seen} {module}");
    ensure!(
        seen["process"]["environment"]["HTTPS_PROXY"] == "http://proxy.example:3128",
        "{seen}"
    );
    Ok(())
}

#[tokio::test]
async fn folders_and_files_are_the_owners_alone_and_are_not_told_to_other_jobs() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let (service, data) = Service::start(&["--work", &work.path().display().to_string()])?;
    let (client, file) = (service.client(), data.path().join("go"));
    let hosts = json!({"type": "inline", "data": {"web": {"hosts": {"localhost": {}}}}});
    let request = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": hosts});
    let id = client.submit(&request).await?;
    wait::until("the job has its files", || {
        let folders = crate::job_folders(work.path());
        folders.iter().any(|folder| folder.join("home/.ansible/tmp").is_dir())
    })
    .await?;
    let folder = crate::job_folders(work.path())
        .pop()
        .context("a running job has a folder")?;
    for name in [
        "extra_vars.json",
        "inventory-0.json",
        "home",
        "tmp",
        "home/.ansible",
        "home/.ansible/tmp",
    ] {
        ensure!(is_private(&folder.join(name))?, "{name} is open to others");
    }
    for folder in folder.ancestors().take_while(|folder| *folder != work.path()) {
        ensure!(is_private(folder)?, "{} is open to others", folder.display());
    }
    let told = format!("{:?}", crate::look(&client).await?);
    let name = folder.file_name().and_then(|name| name.to_str()).context("a name")?;
    ensure!(
        !told.contains(name) && !told.contains(&id),
        "another job is told of {name}: {told}"
    );
    fs::write(&file, "")?;
    client.ended(&id).await?;
    only_private(data.path())
}

/// Checks everything in a data folder, but for what the test itself has put there.
fn only_private(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        ensure!(
            path.ends_with("go") || is_private(&path)?,
            "{} is open to others",
            path.display()
        );
        if path.is_dir() {
            only_private(&path)?;
        }
    }
    Ok(())
}

fn is_private(path: &Path) -> anyhow::Result<bool> {
    let found = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
    let expected = if found.is_dir() { 0o700 } else { 0o600 };
    Ok(found.permissions().mode() & 0o777 == expected)
}
