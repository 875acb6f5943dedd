//! Jobs that run as other users than the service, which is root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use callboard_tests::program::{as_nobody, in_open_home, wrap};
use callboard_tests::servers::{Area, Mode::Plain, Part};
use callboard_tests::{Finished, Service, Site, callboard, daemon, processes, wait};
use rustix::process::{Signal, geteuid};
use serde_json::{Value, json};

use crate::hostile::{Kept, PLACE, World};
use crate::job_folders;

/// Ids that nobody has on machines where tests run.
const RANGE: &str = "71000-71015";

/// Fails where these tests cannot run.
fn as_root() -> anyhow::Result<()> {
    ensure!(
        geteuid().is_root(),
        "this test needs root: only root's service has its jobs run as others"
    );
    Ok(())
}

fn is_of_range(uid: u32) -> bool {
    (71_000..=71_015).contains(&uid)
}

/// Ids that only one of the tests uses.
const ITS_RANGE: &str = "71100-71103";

fn is_of_its_range(uid: u32) -> bool {
    (71_100..=71_103).contains(&uid)
}

/// Returns the living processes of users of that range.
fn processes_of_range() -> Vec<u32> {
    let is_of_range = |pid: &u32| {
        let owner = fs::metadata(format!("/proc/{pid}")).map(|found| found.uid());
        owner.is_ok_and(is_of_its_range)
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_of_range).collect()
}

#[tokio::test]
async fn a_job_with_a_user_of_its_own_reaches_nothing_of_another_job_or_of_the_service() -> anyhow::Result<()> {
    as_root()?;
    let (kept, go) = (Kept::make()?, tempfile::tempdir()?);
    fs::set_permissions(go.path(), Permissions::from_mode(0o755))?;
    let file = go.path().join("go");
    for isolation in ["off", "on"] {
        let world = World::start_as(&["--isolation", isolation, "--job-user", RANGE], |command| {
            in_open_home(&command)
        })?;
        let client = world.service.client();
        let victim = world.victim(&client, &file).await?;
        let targets = world.targets("callboard-test-none", &kept.0, true)?;
        let (job, could) = world.attack(&client, &targets).await?;
        ensure!(job["usage"]["isolation"][0] == "own_user", "{job}");
        ensure!(could.is_empty(), "{isolation}: {could:?}");
        ensure!(fs::read_to_string(&kept.0)? == "as it was");
        fs::write(&file, "")?;
        ensure!(client.ended(&victim).await?["status"] == "successful");
        fs::remove_file(&file)?;
        let job = client.run(&json!({"playbook": "nothing.yml"})).await?;
        ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
        ensure!(!world.service.log().contains("gone"), "{}", world.service.log());
    }
    Ok(())
}

/// Looks at who it is, in every way that playbooks and their programs do.
const WHO: &str = r#"
- hosts: all
  tasks:
    - command: id -un
      register: id
    - command: id -G
      register: all_groups
    - copy: {content: a, dest: "{{ folder }}/{{ name }}"}
    - debug:
        msg:
          id: "{{ id.stdout }}"
          groups: "{{ all_groups.stdout }}"
          fact: "{{ ansible_facts.user_id }} {{ ansible_facts.user_dir }}"
          expanded: "{{ '~' | expanduser }}"
          home: "{{ lookup('env', 'HOME') }}"
          user: "{{ lookup('env', 'USER') }} {{ lookup('env', 'LOGNAME') }}"
"#;

#[tokio::test]
async fn a_job_is_its_user_in_every_respect() -> anyhow::Result<()> {
    as_root()?;
    let folder = tempfile::tempdir_in(PLACE)?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777))?;
    for (user, means) in [("nobody", "user"), (RANGE, "own_user")] {
        let world = World::start_as(&["--job-user", user], |command| in_open_home(&command))?;
        let client = world.service.client();
        let request = json!({
            "source": {"type": "inline", "content": WHO}, "extra_vars": {"folder": folder.path(), "name": means},
        });
        let job = client.run(&request).await?;
        ensure!(job["status"] == "successful", "{job}");
        ensure!(job["usage"]["isolation"][0] == means, "{job}");
        let made = fs::metadata(folder.path().join(means))?.uid();
        let events = client.events(job["job_id"].as_str().context("an id")?).await?;
        let mut told = events.iter().map(|event| &event["event_data"]["res"]["msg"]);
        let told = told.find(|told| told.is_object()).context("it is told")?;
        let name = match means {
            "user" => "nobody".to_owned(),
            _ => format!("callboard-{made}"),
        };
        ensure!(means == "user" || is_of_range(made), "{made}");
        ensure!(means == "own_user" || made == 65_534, "{made}");
        ensure!(told["id"] == name && told["user"] == format!("{name} {name}"), "{told}");
        ensure!(told["expanded"] == told["home"], "{told}");
        if means == "own_user" {
            let home = told["home"].as_str().unwrap_or_default();
            ensure!(told["fact"] == format!("{name} {home}"), "{told}");
            ensure!(told["groups"].as_str() == Some(&*made.to_string()), "{told}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_job_of_another_user_has_started_ends_with_it() -> anyhow::Result<()> {
    as_root()?;
    let (data, work) = (tempfile::tempdir()?, tempfile::tempdir_in(PLACE)?);
    fs::set_permissions(data.path(), Permissions::from_mode(0o700))?;
    fs::set_permissions(work.path(), Permissions::from_mode(0o711))?;
    let start = || -> anyhow::Result<Service> {
        let mut command = callboard(data.path())?;
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--job-user",
            ITS_RANGE,
            "--playbooks",
        ]);
        command.arg(callboard_tests::playbooks()).arg("--work").arg(work.path());
        Service::spawn(in_open_home(&command)?)
    };
    let mut service = start()?;
    let client = service.client();
    client.store_ssh_key(data.path()).await?;
    let marker = data.path().join("marker").display().to_string();
    let request = json!({
        "playbook": "start_daemon.yml", "extra_vars": {"marker": marker}, "credentials": {"ssh": "key"},
    });
    let id = client.submit(&request).await?;
    daemon::runs(&client, &id, &marker).await?;
    let of_range = processes_of_range();
    let agents = processes::with_marker("ssh-agent");
    ensure!(
        agents.iter().any(|agent| of_range.contains(agent)),
        "no agent of the job's"
    );
    let [folder] = &job_folders(work.path())[..] else {
        anyhow::bail!("one folder")
    };
    let found = fs::metadata(folder)?;
    ensure!(
        is_of_its_range(found.uid()) && found.mode() & 0o777 == 0o700,
        "{found:?}"
    );

    let asked = Instant::now();
    client.delete(&format!("/api/v1/jobs/{id}")).await?;
    ensure!(client.ended(&id).await?["status"] == "canceled");
    ensure!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    ensure!(processes_of_range().is_empty() && job_folders(work.path()).is_empty());

    let id = client.submit(&request).await?;
    daemon::runs(&client, &id, &marker).await?;
    service.signal(Signal::KILL)?;
    service.wait()?;
    let gone = || processes_of_range().is_empty() && job_folders(work.path()).is_empty();
    wait::until("what the killed service had started is gone", gone).await?;
    Ok(())
}

#[tokio::test]
async fn a_user_whom_the_database_does_not_know_reaches_hosts_and_repositories_over_ssh() -> anyhow::Result<()> {
    as_root()?;
    let site = site(&[Part::Git, Part::Ssh])?;
    let (ssh, git) = (site.servers.ssh()?, site.servers.git()?);
    let playbook = "- hosts: target\n  gather_facts: false\n  tasks: [{command: id -u}]\n";
    let repository = git.repository(Area::Public, "site")?;
    repository.commit("main", &[("site.yml", playbook, Plain)])?;
    let key = json!({"private_key": ssh.keys.plain, "known_hosts": ssh.known_hosts});
    for kind in ["ssh", "git"] {
        let mut credential = key.clone();
        credential["kind"] = json!(kind);
        site.store(kind, &credential).await?;
    }
    let target = json!({
        "ansible_host": ssh.host, "ansible_port": ssh.port, "ansible_user": ssh.user,
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    });
    let played = site
        .play(&json!({
            "source": {"type": "playbook", "repo": repository.ssh_url(ssh), "path": "site.yml", "git_credential": "git"},
            "credentials": {"ssh": "ssh"},
            "inventory": {"type": "inline", "hosts": ["target"], "host_vars": {"target": target}},
        }))
        .await?;
    ensure!(played.job["status"] == "successful", "{} {}", played.job, played.log);
    Ok(())
}

/// Becomes root, and looks for what is the service's.
const SUDO: &str = r#"
- hosts: all
  gather_facts: false
  become: true
  tasks:
    - command: id -u
      register: id
      failed_when: id.stdout != "0"
    - command: "ls {{ data }}"
      register: list
      failed_when: list.rc == 0
"#;

#[tokio::test]
async fn whom_sudo_lets_become_root_still_reaches_nothing_of_the_service() -> anyhow::Result<()> {
    as_root()?;
    ensure!(
        Path::new("/usr/bin/sudo").exists(),
        "this test needs sudo (on Debian and Ubuntu: apt install sudo)"
    );
    let sudoers = tempfile::NamedTempFile::new()?;
    fs::write(&sudoers, "ALL ALL=(ALL) NOPASSWD: ALL\n")?;
    fs::set_permissions(sudoers.path(), Permissions::from_mode(0o440))?;
    for user in ["nobody", RANGE] {
        let world = World::start_as(&["--job-user", user], |command| {
            let mut mounted = Command::new("unshare");
            mounted.args(["--mount", "sh", "-c", r#"mount --bind "$0" /etc/sudoers && exec "$@""#]);
            mounted.arg(sudoers.path());
            Ok(wrap(mounted, &in_open_home(&command)?))
        })?;
        let request = json!({"source": {"type": "inline", "content": SUDO}, "extra_vars": {"data": world.data.path()}});
        let job = world.service.client().run(&request).await?;
        let is_bound = job["usage"]["isolation"].to_string().contains("landlock");
        ensure!(job["status"] == "successful" || !is_bound, "{user}: {job}");
    }
    Ok(())
}

/// ansible-galaxy writes its log where the repository says.
#[tokio::test]
async fn what_a_repository_has_ansible_galaxy_do_the_jobs_user_does() -> anyhow::Result<()> {
    as_root()?;
    let site = site(&[Part::Git])?;
    let repository = site.servers.git()?.repository(Area::Public, "planted")?;
    let [closed, open] = [tempfile::tempdir_in(PLACE)?, tempfile::tempdir_in(PLACE)?];
    fs::set_permissions(open.path(), Permissions::from_mode(0o777))?;
    for folder in [&open, &closed] {
        let log = folder.path().join("log");
        let configuration = format!("[defaults]\nlog_path = {}\n", log.display());
        repository.commit(
            "main",
            &[
                ("site.yml", "- hosts: all\n", Plain),
                ("ansible.cfg", &configuration, Plain),
                ("requirements.yml", "nothing\n", Plain),
            ],
        )?;
        let source = json!({"type": "playbook", "repo": repository.url(), "path": "site.yml"});
        let played = site.play(&json!({ "source": source })).await?;
        ensure!(played.job["reason"] == "source_unavailable", "{}", played.job);
        match fs::metadata(&log) {
            Ok(found) => ensure!(is_of_range(found.uid()), "{} is {}'s", log.display(), found.uid()),
            Err(error) => ensure!(folder.path() == closed.path(), "{error}"),
        }
    }
    Ok(())
}

fn site(parts: &[Part]) -> anyhow::Result<Site> {
    let allow = |servers: &callboard_tests::Servers| {
        let git = servers.git()?;
        let host = git
            .url
            .trim_start_matches("https://")
            .split('/')
            .next()
            .map(Value::from);
        let ssh = servers
            .ssh()
            .map(|ssh| json!({"host": format!("{}:{}", ssh.host, ssh.port)}));
        Ok(json!({"git": host.into_iter().chain(ssh).collect::<Vec<_>>()}))
    };
    Site::start_with(parts, allow, |command| {
        command.args(["--job-user", RANGE]);
        *command = in_open_home(command)?;
        Ok(())
    })
}

#[test]
fn users_whom_jobs_cannot_have_are_refused_at_the_start_with_what_to_do() -> anyhow::Result<()> {
    as_root()?;
    for (arguments, told) in [
        (
            &["--job-user", "root"][..],
            "--job-user root: that is root; name a user without its rights",
        ),
        (&["--job-user", "0"], "that is root"),
        (
            &["--job-user", "nobody-of-this-name"],
            "there is no such user; make one",
        ),
        (&["--job-user", "0-9"], "0 is root; begin with another id"),
        (
            &["--job-user", "71009-71000"],
            "the first id must not be larger than the last",
        ),
        (
            &["--job-user", "71000-71001", "--workers", "3"],
            "these are 2 users for 3 jobs at a time",
        ),
        (
            &["--job-user", "65000-66000"],
            "the user nobody has the id 65534; give a range in which nobody has an id",
        ),
    ] {
        let refused = serve(arguments, Ok)?;
        ensure!(
            refused.code != 0 && refused.stderr.contains(told),
            "{arguments:?}: {refused:?}"
        );
    }
    let refused = serve(&["--job-user", RANGE], |command| Ok(as_nobody(command)))?;
    ensure!(
        refused.stderr.contains("only root may run jobs as other users"),
        "{refused:?}"
    );
    Ok(())
}

#[test]
fn what_the_users_of_jobs_cannot_reach_is_said_at_the_start_and_by_the_doctor() -> anyhow::Result<()> {
    as_root()?;
    let open_home = |command: Command| in_open_home(&command);
    let (closed, file) = (tempfile::tempdir_in(PLACE)?, tempfile::tempdir_in(PLACE)?);
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700))?;
    fs::set_permissions(file.path(), Permissions::from_mode(0o755))?;
    fs::write(file.path().join("site.yml"), "")?;
    fs::set_permissions(file.path().join("site.yml"), Permissions::from_mode(0o600))?;
    let path = |folder: &tempfile::TempDir| folder.path().display().to_string();
    let (open, told) = (tempfile::tempdir_in(PLACE)?, "is open to other users, and so to jobs");
    fs::set_permissions(open.path(), Permissions::from_mode(0o755))?;
    let arguments = ["--job-user", RANGE, "--data", &path(&open)];
    let (refused, found) = (serve(&arguments, open_home)?, doctor(&arguments)?);
    ensure!(refused.code == 1 && refused.stderr.contains(told), "{refused:?}");
    ensure!(found.code == 1 && found.stdout.contains(told), "{found:?}");
    for (flag, told) in [
        ("--playbooks", "cannot read the playbooks folder"),
        ("--work", "cannot enter the folder for running jobs"),
    ] {
        let arguments = ["--job-user", RANGE, flag, &path(&closed)];
        let refused = serve(&arguments, open_home)?;
        ensure!(refused.code == 1 && refused.stderr.contains(told), "{refused:?}");
        let found = doctor(&arguments)?;
        ensure!(found.code == 1 && found.stdout.contains(told), "{found:?}");
    }
    let warned = doctor(&["--job-user", RANGE, "--playbooks", &path(&file)])?;
    let site = file.path().join("site.yml").display().to_string();
    ensure!(
        warned.code == 0 && warned.stdout.contains(&format!("cannot read {site}")),
        "{warned:?}"
    );
    ensure!(warned.stdout.contains("Jobs are isolated by: own_user"), "{warned:?}");
    Ok(())
}

fn doctor(arguments: &[&str]) -> anyhow::Result<Finished> {
    let data = tempfile::tempdir()?;
    let mut command = callboard(&data.path().join("data"))?;
    command
        .arg("doctor")
        .args(arguments)
        .env("CALLBOARD_PLAYBOOKS", callboard_tests::playbooks());
    Ok(in_open_home(&command)?.output()?.into())
}

/// Starts a service that is to end at once.
fn serve(arguments: &[&str], by: impl FnOnce(Command) -> anyhow::Result<Command>) -> anyhow::Result<Finished> {
    let data = tempfile::tempdir()?;
    let mut command = callboard(&data.path().join("data"))?;
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    command.env("CALLBOARD_PLAYBOOKS", callboard_tests::playbooks());
    let mut command = by(command)?;
    let mut limit = Command::new("timeout");
    limit.arg("60");
    command = wrap(limit, &command);
    Ok(command.stdin(Stdio::null()).output()?.into())
}
