//! The caller's home and configuration, and the Ansible environment that the first use makes.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use callboard_tests::{Finished, callboard, program};

use crate::{Desk, playbook};

const TELL: &str = "- hosts: all
  gather_facts: false
  tasks:
    - debug:
        msg: \"home {{ lookup('env', 'HOME') }}, word {{ lookup('env', 'CALLERS_WORD') }},
          managed {{ lookup('config', 'DEFAULT_MANAGED_STR') }}, ansible {{ ansible_version.full }}\"
";

#[test]
fn a_run_has_its_callers_home_variables_and_configuration() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("playbooks/tell.yml", TELL)?;
    desk.write(
        "playbooks/ansible.cfg",
        "[defaults]\nansible_managed = beside the playbook\n",
    )?;
    let home = desk.folder.path().join("home");
    std::fs::create_dir(&home)?;
    let told = || -> anyhow::Result<Finished> {
        let mut command = callboard(desk.data.path())?;
        command.env("CALLBOARD_CACHE", program::cache()?);
        command
            .args(["run", "playbooks/tell.yml"])
            .current_dir(desk.folder.path());
        Ok(command.env("HOME", &home).env("CALLERS_WORD", "kept").output()?.into())
    };
    let run = told()?;
    ensure!(
        run.stdout.contains(&format!("home {}, word kept", home.display())),
        "{run:?}"
    );
    ensure!(run.stdout.contains("managed beside the playbook"), "{run:?}");
    desk.write("ansible.cfg", "[defaults]\nansible_managed = of the current folder\n")?;
    let run = told()?;
    ensure!(run.stdout.contains("managed of the current folder"), "{run:?}");
    Ok(())
}

#[test]
fn a_python_that_cannot_be_used_is_named_with_what_to_do() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let cache = tempfile::tempdir()?;
    let nonsense = desk.write("nonsense", "no program")?;
    for python in ["/no/such/python", "true", &nonsense.display().to_string()] {
        let mut command = callboard(desk.data.path())?;
        command
            .args(["run", &playbook("hello.yml")])
            .env("CALLBOARD_CACHE", cache.path());
        let run = Finished::from(command.env("CALLBOARD_PYTHON", python).output()?);
        ensure!(run.code == 1 && run.stdout.is_empty(), "{run:?}");
        ensure!(run.stderr.contains(&format!("  {python}: ")), "{run:?}");
        ensure!(run.stderr.contains("Install Python 3.12 or 3.13"), "{run:?}");
    }
    Ok(())
}

/// Two processes start at once on an empty cache, with the Python that `python3` names.
#[test]
fn the_first_use_makes_the_environment_once_and_visibly() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("tell.yml", TELL)?;
    let cache = tempfile::tempdir()?;
    let start = || -> anyhow::Result<std::process::Child> {
        let mut command = callboard(desk.data.path())?;
        command.args(["run", "tell.yml"]).current_dir(desk.folder.path());
        command
            .env("CALLBOARD_CACHE", cache.path())
            .env("CALLBOARD_PYTHON", "python3");
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        Ok(command.spawn()?)
    };
    let runs = [start()?, start()?].map(std::process::Child::wait_with_output);
    let mut told = String::new();
    let version = ansible_of("python3")?;
    for run in runs {
        let run = Finished::from(run?);
        ensure!(
            run.code == 0 && run.stdout.contains(&format!("ansible {version}")),
            "{run:?}"
        );
        told += &run.stderr;
    }
    for (line, count) in [
        ("Making the Ansible environment, once, with Python 3.", 1),
        ("Another process is making the Ansible environment; waiting for it.", 1),
        ("  Collecting ansible-core", 1),
        ("The Ansible environment is ready.", 2),
    ] {
        ensure!(told.matches(line).count() == count, "{line:?}: {told}");
    }
    let again = Finished::from(start()?.wait_with_output()?);
    ensure!(
        again.code == 0 && again.stderr.starts_with("successful in "),
        "{again:?}"
    );
    ensure!(environments(cache.path())? == 1);
    Ok(())
}

/// An older Python gets an older Ansible.
fn ansible_of(python: &str) -> anyhow::Result<&'static str> {
    let old = Command::new(python)
        .args(["-c", "import sys; sys.exit(sys.version_info < (3, 12))"])
        .status()?;
    Ok(if old.success() { "2.21." } else { "2.19." })
}

fn environments(cache: &Path) -> anyhow::Result<usize> {
    let entries = std::fs::read_dir(cache)?.flatten();
    let is_one = |entry: &std::fs::DirEntry| entry.path().join("bin/ansible-playbook").is_file();
    Ok(entries.filter(is_one).count())
}
