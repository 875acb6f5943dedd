//! What is only shown: as ansible-playbook does, and without a job.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use callboard_tests::Finished;

use crate::{Desk, playbook};

#[test]
fn lists_and_checks_are_those_of_ansible_playbook_and_leave_no_record() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("hosts.yml", "web: {hosts: {web1: {}}}")?;
    desk.write("broken.yml", "- hosts: all\n  tasks:\n    - name: a\n     debug:\n")?;
    let version = desk.run(&["--version"])?;
    let stock = version
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("executable location = "));
    let stock = stock.context("a version says where the program is")?;
    let tags = playbook("features/tags.yml");
    for arguments in [
        vec!["--version"],
        vec![&*tags, "--list-tasks", "-t", "one"],
        vec![&tags, "-i", "hosts.yml", "--list-hosts"],
        vec![&tags, "--list-tags"],
        vec![
            &tags,
            "--syntax-check",
            "-e",
            "a=b",
            "-vv",
            "-b",
            "--vault-id",
            "x@missing",
        ],
        vec![&tags, "--list-tasks", "--list-hosts", "-i", "web1,"],
        vec!["broken.yml", "--syntax-check"],
        vec!["no.yml", "--list-tasks"],
    ] {
        let ours = desk.run(&arguments)?;
        let mut command = Command::new(stock);
        if !arguments.contains(&"-i") && !arguments.contains(&"--version") {
            // without an inventory, a run is for this machine
            command.args(["-i", "localhost,"]);
        }
        let theirs = command
            .args(&arguments)
            .current_dir(desk.folder.path())
            .stdin(Stdio::null());
        let theirs = Finished::from(theirs.output()?);
        ensure!(ours.code == theirs.code, "{arguments:?}: {ours:?} {theirs:?}");
        ensure!(
            ours.stdout == theirs.stdout && ours.stderr == theirs.stderr,
            "{arguments:?}: {ours:?} {theirs:?}"
        );
    }
    desk.write("at/hosts.ini", "web1\n")?;
    desk.write("at/ansible.cfg", "[defaults]\ninventory = hosts.ini\n")?;
    desk.write("at/site.yml", "- {hosts: all, gather_facts: false, tasks: []}")?;
    let beside = desk.run(&["at/site.yml", "--list-hosts"])?;
    ensure!(beside.stdout.contains("web1"), "{beside:?}");
    let behind = desk.run(&[&tags, "--", "--list-tasks"])?;
    ensure!(
        behind.code == 0 && behind.stdout.contains("TAGS: [deploy, two]"),
        "{behind:?}"
    );
    ensure!(
        std::fs::read_dir(desk.data.path())?.next().is_none(),
        "there is a record"
    );
    Ok(())
}
