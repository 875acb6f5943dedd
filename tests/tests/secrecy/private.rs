//! What a running job is given is its user's alone, and goes with the job.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::servers::Part;
use callboard_tests::{processes, wait};
use serde_json::json;

#[tokio::test]
async fn what_a_job_is_given_is_its_users_alone_and_goes_with_it() -> anyhow::Result<()> {
    let site = crate::site(&[Part::Ssh])?;
    let (client, file, keys) = (site.client(), site.data.path().join("go"), &site.servers.ssh()?.keys);
    let aws = json!({"kind": "cloud", "access_key_id": "AKIATEST", "secret_access_key": "key-of-the-cloud"});
    for (name, credential) in [
        (
            "ssh",
            json!({"kind": "ssh", "private_key": keys.encrypted, "passphrase": keys.passphrase}),
        ),
        ("password", json!({"kind": "password", "password": "of-a-person"})),
        ("vault", json!({"kind": "vault", "password": "of-a-vault"})),
        ("cloud", aws),
    ] {
        site.store(name, &credential).await?;
    }
    let id = client
        .submit(&json!({
            "playbook": "wait_for_file.yml", "extra_vars": {"file": file},
            "credentials": {
                "ssh": "ssh", "password": "password", "become_password": "password", "vault_password": "vault", "cloud": "cloud",
            },
        }))
        .await?;
    client
        .until(&id, |job| {
            job["progress"]["current_task"] == "Wait until the file is there"
        })
        .await?;
    let keys = find(site.work.path(), "k").context("a running job has a folder for its secrets")?;
    let mut names = Vec::new();
    for entry in fs::read_dir(&keys)? {
        let entry = entry?;
        let (kind, mode) = (entry.file_type()?, entry.metadata()?.permissions().mode() & 0o777);
        ensure!(!kind.is_dir(), "{} is left of the agent", entry.path().display());
        ensure!(mode == 0o600, "{} has mode {mode:o}", entry.path().display());
        let name = entry.file_name().to_string_lossy().into_owned();
        names.push(if kind.is_socket() { "socket".to_owned() } else { name });
    }
    names.sort_unstable();
    let told = processes::with_marker(&keys.display().to_string());
    ensure!(
        told.is_empty(),
        "where the secrets are is in the command lines of {told:?}"
    );
    ensure!(
        names == ["aws", "become", "connection", "socket", "vault-0"],
        "{names:?}"
    );
    for folder in keys.ancestors().take_while(|folder| *folder != site.work.path()) {
        let mode = fs::metadata(folder)?.permissions().mode() & 0o777;
        ensure!(mode == 0o700, "{} has mode {mode:o}", folder.display());
    }
    fs::write(&file, "")?;
    client.ended(&id).await?;
    let gone = || !keys.exists() && find(site.work.path(), "k").is_none();
    wait::until("the job's folder is gone", gone).await?;
    let mark = format!("TMPDIR={}", keys.display());
    wait::until("its agent has ended", || processes::with_variable(&mark).is_empty()).await
}

/// Finds a folder by its name.
fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let mut folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.find_map(|entry| match entry.file_name() == name {
        true => Some(entry.path()),
        false => find(&entry.path(), name),
    })
}
