//! `callboard doctor`.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::data::damage;
use callboard_tests::program::inherit;
use callboard_tests::{Client, Finished, Service, callboard};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run;

/// A job that was never there.
const NOBODY: &str = "01a1faf8-50a0-70a1-801c-2d3e4f506172";

#[tokio::test]
async fn a_doctor_finds_nothing_wrong_beside_a_service_or_without_one_and_changes_nothing() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&[])?;
    fs::set_permissions(data.path(), Permissions::from_mode(0o700))?;
    fill(&service.client()).await?;
    let beside = Findings::of(callboard(data.path())?)?;
    ensure!(beside.code == 0, "{beside:?}");
    let process = format!("process {}.", service.pid());
    ensure!(beside.detail("service")?.ends_with(&process), "{beside:?}");
    service.signal(Signal::TERM)?;
    ensure!(service.wait()?.success());

    let before = contents(data.path())?;
    let alone = Findings::of(callboard(data.path())?)?;
    ensure!(contents(data.path())? == before, "{:?}", contents(data.path())?.keys());
    ensure!(
        alone.detail("service")?.starts_with("No `callboard serve`"),
        "{alone:?}"
    );
    for found in [&beside, &alone] {
        for finding in &found.checks {
            // how much space there is, and what the kernel can do, is the machine's own
            let fits = ["space", "jobs"].iter().any(|own| finding["check"] == *own) || finding["status"] == "ok";
            ensure!(fits && finding["about"] == json!([]), "{finding}");
        }
    }
    let told = Finished::from(callboard(data.path())?.arg("doctor").output()?);
    ensure!(
        told.code == 0 && told.stdout.lines().count() == alone.checks.len(),
        "{told:?}"
    );
    ensure!(
        told.stdout.starts_with("ok        folder      The data folder "),
        "{told:?}"
    );

    let nothing = data.path().join("nothing");
    let absent = Findings::of(callboard(&nothing)?)?;
    ensure!(absent.code == 0 && absent.is("folder", "warning"), "{absent:?}");
    ensure!(!nothing.exists());
    Ok(())
}

#[tokio::test]
async fn a_doctor_names_all_that_is_damaged_and_what_to_do() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&[])?;
    let client = service.client();
    let [damaged, unsealed, given_up, cut] = [
        fill(&client).await?,
        fill(&client).await?,
        fill(&client).await?,
        fill(&client).await?,
    ];
    service.signal(Signal::TERM)?;
    ensure!(service.wait()?.success());
    let folder = data.path();
    damage(folder, "UPDATE jobs SET state = '{}' WHERE id = ?1", damaged.parse()?)?;
    let letter = json!({"at": "2026-11-20T22:00:00.000Z", "receives": 5, "error": "No worker could begin the job."});
    let bury = format!(
        "UPDATE jobs SET status = 'pending', state = json_set(state, '$.status', 'pending', '$.dead_letter', json('{letter}'))
         WHERE id = ?1"
    );
    damage(folder, &bury, given_up.parse()?)?;
    fs::remove_file(folder.join("logs").join(&unsealed).join("1/manifest.json"))?;
    fs::write(folder.join("logs").join(&cut).join("1/stdout"), "\n")?;
    fs::create_dir_all(folder.join("logs").join(NOBODY).join("1"))?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    fs::set_permissions(folder.join("callboard.key"), Permissions::from_mode(0o644))?;
    let policy = folder.join("policy.yaml");
    fs::write(&policy, "gitt: [github.com]\nroles: all\n")?;

    let found = Findings::of(with(folder, &policy, Path::new("/nowhere"))?)?;
    ensure!(found.code == 1, "{found:?}");
    for (check, status, about, told) in [
        ("folder", "warning", None, "mode 755"),
        ("service", "ok", None, ""),
        ("database", "ok", None, "sound"),
        ("records", "fault", Some(&*damaged), "cannot be read"),
        ("queue", "warning", Some(&given_up), "has given up"),
        ("output", "warning", Some(&unsealed), "no manifest"),
        ("output", "fault", Some(&cut), "only 1 of "),
        ("output", "warning", Some(NOBODY), "belong to no job"),
        ("credentials", "fault", None, "chmod 600"),
        ("policy", "fault", None, "/gitt is not known"),
        ("policy", "fault", None, "/roles must be a list"),
        ("ansible", "fault", None, "/nowhere"),
        ("work", "fault", None, "/nowhere"),
        ("files", "fault", None, "150 open files are allowed"),
    ] {
        let fits = found.checks.iter().any(|finding| {
            let detail = finding["detail"].as_str().unwrap_or_default();
            let names = about.is_none_or(|id| finding["about"] == json!([id]) && detail.contains(id));
            finding["check"] == check && finding["status"] == status && detail.contains(told) && names
        });
        ensure!(fits, "{check} {status} {told}: {found:?}");
    }

    fs::set_permissions(folder.join("callboard.key"), Permissions::from_mode(0o600))?;
    let database = Connection::open(folder.join("callboard.db"))?;
    database.execute("UPDATE credentials SET sealed = x'00' WHERE name = ?1", [&damaged])?;
    drop(database);
    let found = Findings::of(callboard(folder)?)?;
    let detail = found.detail("credentials")?;
    ensure!(
        found.is("credentials", "fault") && detail.contains(&damaged) && !detail.contains(&unsealed),
        "{found:?}"
    );
    refused_files(folder)
}

/// A database of a later release, and a file that is none.
fn refused_files(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join("callboard.db");
    Connection::open(&path)?.pragma_update(None, "user_version", 99)?;
    let later = Findings::of(callboard(folder)?)?;
    ensure!(
        later.code == 1 && later.detail("database")?.contains("version 99"),
        "{later:?}"
    );
    fs::write(&path, "no database, however long this text may be")?;
    let none = Findings::of(callboard(folder)?)?;
    ensure!(
        none.code == 1 && none.detail("database")?.contains("not a database"),
        "{none:?}"
    );
    Ok(())
}

/// What was found.
#[derive(Debug)]
struct Findings {
    code: i32,
    checks: Vec<Value>,
}

impl Findings {
    fn of(mut command: Command) -> anyhow::Result<Self> {
        let finished = Finished::from(command.args(["doctor", "--json"]).output()?);
        ensure!(finished.stderr.is_empty(), "{finished:?}");
        let checks = finished.stdout.lines().map(serde_json::from_str);
        Ok(Self {
            checks: checks.collect::<serde_json::Result<_>>()?,
            code: finished.code,
        })
    }

    fn finding(&self, check: &str) -> anyhow::Result<&Value> {
        let found = self.checks.iter().find(|finding| finding["check"] == check);
        found.context("a finding of each check")
    }

    fn detail(&self, check: &str) -> anyhow::Result<&str> {
        Ok(self.finding(check)?["detail"].as_str().unwrap_or_default())
    }

    fn is(&self, check: &str, status: &str) -> bool {
        self.finding(check).is_ok_and(|finding| finding["status"] == status)
    }
}

/// Runs a job, and stores a credential of its name.
async fn fill(client: &Client) -> anyhow::Result<String> {
    let id = run(client).await?;
    let credential = json!({"name": id, "kind": "password", "password": "correct horse"});
    let stored = client.post("/api/v1/credentials", credential.to_string()).await?;
    ensure!(stored.status == 201, "{stored:?}");
    Ok(id)
}

/// Prepares a call with settings that are wrong, and few open files.
fn with(data: &Path, policy: &Path, nowhere: &Path) -> anyhow::Result<Command> {
    let (program, cache) = (callboard(data)?, data.join("cache"));
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 150; exec \"$0\" \"$@\""])
        .arg(program.get_program());
    inherit(&mut command, &program);
    let flags: [(&str, &Path); 4] = [
        ("--policy", policy),
        ("--cache", &cache),
        ("--python", nowhere),
        ("--work", nowhere),
    ];
    for (flag, value) in flags {
        command.arg(flag).arg(value);
    }
    Ok(command)
}

/// Returns every file below a folder, with what is in it.
fn contents(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(contents(&path)?);
        } else {
            found.insert(path.clone(), fs::read(&path)?);
        }
    }
    Ok(found)
}
