//! What a job leaves behind is gone when it has ended.

use anyhow::{Context, ensure};
use callboard_tests::{Service, processes};
use serde_json::json;

#[tokio::test]
async fn a_job_finds_nothing_that_the_one_before_it_has_left() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let (service, _data) = Service::start(&["--workers", "1", "--work", &work.path().display().to_string()])?;
    let client = service.client();
    let marker = format!("left-{}", std::process::id());
    let before = crate::look(&client).await?;
    let job = client
        .run(&json!({"playbook": "isolation/leave.yml", "extra_vars": {"marker": marker}}))
        .await?;
    ensure!(job["status"] == "successful", "{job}");
    ensure!(
        processes::with_marker(&marker).is_empty(),
        "a process has outlived its job"
    );
    ensure!(
        crate::job_folders(work.path()).is_empty(),
        "a folder has outlived its job"
    );

    let after = crate::look(&client).await?;
    ensure!(!format!("{after:?}").contains(&marker), "{after:?}");
    ensure!(!format!("{after:?}").contains("LEFT_"), "{after:?}");
    ensure!(
        after.0["facts"] == "none" && after.0["process"]["modules"] == false,
        "{after:?}"
    );
    for same in ["cwd", "umask", "path"] {
        ensure!(
            after.0["process"][same] == before.0["process"][same],
            "{same}: {after:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_locks_its_home_is_wiped_as_well() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let (service, _data) = Service::start(&["--work", &work.path().display().to_string()])?;
    let job = service
        .client()
        .run(&json!({"playbook": "isolation/lock_home.yml"}))
        .await?;
    ensure!(job["status"] == "successful", "{job}");
    ensure!(
        crate::job_folders(work.path()).is_empty(),
        "a folder has outlived its job"
    );
    Ok(())
}

#[tokio::test]
async fn everything_temporary_is_below_the_jobs_own_folder() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let (service, _data) = Service::start(&["--work", &work.path().display().to_string()])?;
    let (seen, module) = crate::look(&service.client()).await?;
    let home = seen["home"].as_str().context("a home")?;
    let folder = home.strip_suffix("/home").context("a home of its own")?;
    let work = work.path().display().to_string();
    ensure!(folder.starts_with(&work), "{folder}");
    ensure!(
        !seen["process"]["path"].to_string().contains(&work),
        "Python imports from there: {seen}"
    );
    for name in ["tmpdir", "local_tmp"] {
        ensure!(
            seen[name].as_str().is_some_and(|path| path.starts_with(folder)),
            "{name}: {seen}"
        );
    }
    ensure!(
        module.contains(&format!(" {folder}/home/.ansible/tmp/ansible-tmp-")),
        "{module}"
    );
    let variables = module
        .lines()
        .filter(|line| line.starts_with("HOME=") || line.starts_with("TMPDIR="));
    ensure!(variables.clone().count() == 2, "{module}");
    for variable in variables {
        ensure!(variable.contains(folder), "{variable}");
    }
    Ok(())
}
