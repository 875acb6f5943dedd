//! The sockets of ssh, below a folder for running jobs that is as long as it may be.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::{Finished, Part, Servers, Service, Site, callboard, playbooks};
use serde_json::json;
use tempfile::TempDir;

use crate::keys::succeeded;
use crate::{request, store, within};

/// The user `nobody`.
const USER: &str = "65534";

#[tokio::test]
async fn every_connection_comes_about_below_the_longest_work_folder_that_a_user_may_name() -> anyhow::Result<()> {
    let limit = told_limit()?;
    let refused = serve_below(&folder(limit + 1)?)?;
    ensure!(
        refused.code == 1 && refused.stderr.contains(&format!("the limit for user {USER}")),
        "{refused:?}"
    );
    let (data, work) = (tempfile::tempdir()?, folder(limit)?);
    let service = Service::spawn(as_user(data.path(), work.path())?)?;
    let servers = Servers::start(&[Part::Ssh])?;
    let site = Site {
        service,
        data,
        work,
        servers,
    };
    let server = site.servers.ssh()?;
    store(&site, Some(&server.known_hosts)).await?;
    // those of Ansible's own defaults, with connections that stay open
    let mut request = request(server, &json!({}));
    let target = request["inventory"]["host_vars"]["target"].as_object_mut();
    target.context("a host")?.remove("ansible_ssh_args");
    request["options"] = json!({"verbosity": 3});
    let played = site.play(&request).await?;
    succeeded(&played)?;
    ensure!(played.log.contains("-1/cp/"), "{}", played.log);
    // a folder that is named goes before
    let own = tempfile::tempdir()?;
    request["inventory"]["host_vars"]["target"]["ansible_control_path_dir"] = json!(own.path());
    let played = site.play(&request).await?;
    succeeded(&played)?;
    ensure!(
        played.log.contains(&format!("{}/", own.path().display())),
        "{}",
        played.log
    );
    Ok(())
}

/// Asks which limit a refusal names.
fn told_limit() -> anyhow::Result<usize> {
    let refused = serve_below(&folder(90)?)?;
    let (_, rest) = refused
        .stderr
        .split_once(" is longer than ")
        .with_context(|| format!("{refused:?}"))?;
    let (limit, _) = rest.split_once(" bytes").context("a limit in bytes")?;
    Ok(limit.parse()?)
}

/// Makes a folder whose path has so many bytes.
fn folder(bytes: usize) -> anyhow::Result<TempDir> {
    let parent = Path::new("/tmp/");
    let random = bytes - parent.as_os_str().len();
    Ok(tempfile::Builder::new()
        .prefix("")
        .rand_bytes(random)
        .tempdir_in(parent)?)
}

fn serve_below(work: &TempDir) -> anyhow::Result<Finished> {
    let data = tempfile::tempdir()?;
    Ok(as_user(data.path(), work.path())?.output()?.into())
}

/// Prepares a service of a user with another id, whose files are this user's.
fn as_user(data: &Path, work: &Path) -> anyhow::Result<Command> {
    let mut inner = callboard(data)?;
    inner
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks())
        .arg("--work")
        .arg(work);
    let user = format!("--map-user={USER}");
    Ok(within(&["--user", &user], "exec \"$@\"", data, &inner))
}
