//! What a job cannot do to the service and to other jobs, where the service is not root's.

use std::fs::{self, Permissions};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::program::{as_nobody, cache};
use callboard_tests::{Client, Service, callboard, processes};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Jobs may make files in `/tmp`, so nothing of the service is there.
pub(crate) const PLACE: &str = "/var/tmp";
const PLAYBOOKS: [&str; 4] = [
    "isolation/attack.yml",
    "isolation/attack.py",
    "wait_for_file.yml",
    "nothing.yml",
];

/// A service with playbooks of its own.
pub(crate) struct World {
    pub(crate) service: Service,
    playbooks: TempDir,
    pub(crate) data: TempDir,
    work: TempDir,
}

impl World {
    fn start(isolation: &str) -> anyhow::Result<Self> {
        Self::start_as(&["--isolation", isolation], |command| Ok(as_nobody(command)))
    }

    /// Starts a service with more arguments, as somebody else.
    pub(crate) fn start_as(
        arguments: &[&str],
        by: impl FnOnce(Command) -> anyhow::Result<Command>,
    ) -> anyhow::Result<Self> {
        let folder = || tempfile::tempdir_in(PLACE);
        let (playbooks, data, work) = (folder()?, folder()?, folder()?);
        for (folder, mode) in [(&playbooks, 0o755), (&data, 0o700), (&work, 0o711)] {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode))?;
        }
        fs::create_dir(playbooks.path().join("isolation"))?;
        for name in PLAYBOOKS {
            fs::copy(callboard_tests::playbooks().join(name), playbooks.path().join(name))?;
        }
        let mut command = callboard(data.path())?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--playbooks"]);
        command.arg(playbooks.path()).arg("--work").arg(work.path());
        command.args(arguments);
        let service = Service::spawn(by(command)?)?;
        Ok(Self {
            service,
            playbooks,
            data,
            work,
        })
    }

    /// Starts a job that has secrets, and waits for a file.
    pub(crate) async fn victim(&self, client: &Client, file: &Path) -> anyhow::Result<String> {
        let password = json!({"name": "become", "kind": "password", "password": "of-the-victim"});
        let stored = client.post("/api/v1/credentials", password.to_string()).await?;
        ensure!(stored.status == 201, "{stored:?}");
        let request = json!({
            "playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "credentials": {"become_password": "become"},
        });
        let id = client.submit(&request).await?;
        let waits = |job: &Value| job["progress"]["current_task"] == "Wait until the file is there";
        client.until(&id, waits).await?;
        Ok(id)
    }

    /// Runs the playbook that tries everything; returns its record, and what it could do.
    pub(crate) async fn attack(&self, client: &Client, targets: &Value) -> anyhow::Result<(Value, Vec<String>)> {
        let job = client
            .run(&json!({"playbook": "isolation/attack.yml", "extra_vars": {"targets": targets}}))
            .await?;
        ensure!(job["status"] == "successful", "{job}");
        let events = client.events(job["job_id"].as_str().context("an id")?).await?;
        let tried = events
            .iter()
            .find_map(|event| event["event_data"]["res"]["stdout"].as_str());
        let could = tried.context("it tried")?.lines().map(str::to_owned).collect();
        Ok((job, could))
    }

    /// What there is to attack while a job runs.
    pub(crate) fn targets(&self, socket: &str, kept: &Path, harmful: bool) -> anyhow::Result<Value> {
        let folder = crate::job_folders(self.work.path())
            .pop()
            .context("the victim's folder")?;
        let (data, cache) = (self.data.path(), cache()?);
        let [database, key] = ["callboard.db", "callboard.key"].map(|name| data.join(name));
        let service = self.service.pid();
        let others = processes::descendants(service).into_iter().map(|process| process.pid);
        Ok(json!({
            "hidden": [data, data.join("logs"), self.work.path(), folder, folder.join("k"), cache.join("archives")],
            "read_only": [cache, self.playbooks.path()],
            "files": [database, key, folder.join("extra_vars.json"), folder.join("k/become")],
            "kept": [kept, self.playbooks.path().join("nothing.yml")],
            "processes": others.chain([service]).collect::<Vec<_>>(),
            "sockets": [socket],
            "harmful": harmful,
        }))
    }
}

/// A file in the cache that jobs only read, in place of those that would be missed.
pub(crate) struct Kept(pub(crate) PathBuf);

impl Kept {
    pub(crate) fn make() -> anyhow::Result<Self> {
        fs::create_dir_all(cache()?.join("archives"))?;
        let path = cache()?.join(format!("kept-{}", std::process::id()));
        fs::write(&path, "as it was")?;
        Ok(Self(path))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[tokio::test]
async fn a_job_reaches_nothing_of_the_service_or_of_another_job_and_harms_neither() -> anyhow::Result<()> {
    let socket = format!("callboard-test-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&socket)?)?;
    let (kept, go) = (Kept::make()?, tempfile::tempdir()?);
    let file = go.path().join("go");

    // what is tried below works where nothing prevents it
    let open = World::start("off")?;
    let client = open.service.client();
    open.victim(&client, &file).await?;
    let (job, could) = open.attack(&client, &open.targets(&socket, &kept.0, false)?).await?;
    ensure!(job["usage"]["isolation"] == json!([]), "{job}");
    for (what, whose) in [
        ("list", open.data.path()),
        ("read", &open.data.path().join("callboard.key")),
    ] {
        let line = format!("could {what} {}", whose.display());
        ensure!(could.contains(&line), "{line} is not among {could:?}");
    }
    ensure!(
        could.iter().any(|line| line.starts_with("could read the variables of")),
        "{could:?}"
    );
    ensure!(could.contains(&format!("could connect to {socket}")), "{could:?}");
    drop(open);

    let world = World::start("on")?;
    let client = world.service.client();
    let victim = world.victim(&client, &file).await?;
    let (job, could) = world.attack(&client, &world.targets(&socket, &kept.0, true)?).await?;
    let means = job["usage"]["isolation"].to_string();
    if !signals_are_kept(&means) {
        // an older kernel: nothing more is promised
        return Ok(());
    }
    ensure!(
        means.contains("no_new_privileges") && could.is_empty(),
        "{means}: {could:?}"
    );
    ensure!(fs::read_to_string(&kept.0)? == "as it was");
    fs::write(&file, "")?;
    ensure!(client.ended(&victim).await?["status"] == "successful");
    let job = client.run(&json!({"playbook": "nothing.yml"})).await?;
    ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
    ensure!(!world.service.log().contains("gone"), "{}", world.service.log());
    Ok(())
}

/// Whether the kernel's Landlock knows signals.
fn signals_are_kept(means: &str) -> bool {
    let version = means.split("landlock_").nth(1).unwrap_or_default();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().is_ok_and(|version: u32| version >= 6)
}

/// What playbooks often do on the machine itself.
const ORDINARY: &str = r#"
- hosts: all
  gather_facts: true
  tasks:
    - tempfile: {path: /tmp, state: directory}
      register: made
    - copy: {content: a, dest: "{{ made.path }}/a"}
    - template: {src: "{{ made.path }}/a", dest: "{{ made.path }}/b"}
    - shell: mkdir c && mv a c/a && ln c/a d && ls -R . /tmp > list && kill -TERM $(sh -c 'sleep 60 > /dev/null & echo $!')
      args: {chdir: "{{ made.path }}"}
    - find: {paths: [/etc, /usr/bin, "{{ made.path }}"]}
      register: found
    - assert: {that: found.matched > 10}
    - command: sleep 0.1
      async: 30
      poll: 1
    - file: {path: "{{ made.path }}", state: absent}
    - copy: {content: a, dest: "{{ writable }}/a"}
"#;

#[tokio::test]
async fn an_isolated_job_does_on_the_machine_what_playbooks_do_there() -> anyhow::Result<()> {
    let writable = tempfile::tempdir_in(PLACE)?;
    let (data, work) = (tempfile::tempdir_in(PLACE)?, tempfile::tempdir_in(PLACE)?);
    let mut command = callboard(data.path())?;
    // in what belongs to the service, and not hidden with it
    let [playbooks, reports] = ["playbooks", "reports"].map(|name| data.path().join(name));
    for folder in [&playbooks, &reports] {
        fs::create_dir(folder)?;
    }
    fs::copy(
        callboard_tests::playbooks().join("nothing.yml"),
        playbooks.join("nothing.yml"),
    )?;
    command.args(["serve", "--listen", "127.0.0.1:0", "--playbooks"]);
    command.arg(&playbooks).arg("--work").arg(work.path());
    command.arg("--writable").arg(&reports);
    let service = Service::spawn(as_nobody(command))?;
    let job = service.client().run(&json!({"playbook": "nothing.yml"})).await?;
    ensure!(job["status"] == "successful", "{job}");
    for folder in [reports.as_path(), writable.path()] {
        fs::set_permissions(folder, Permissions::from_mode(0o777))?;
        let request = json!({
            "source": {"type": "inline", "content": ORDINARY}, "extra_vars": {"writable": folder},
        });
        let job = service.client().run(&request).await?;
        ensure!(job["status"] == "successful", "{job}");
        ensure!(folder.join("a").exists());
    }
    Ok(())
}
