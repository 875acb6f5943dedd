//! Ends that are not the usual ones: of Ansible itself, of readers, and with something left that goes on.

use std::process::{Command, Stdio};

use anyhow::ensure;
use callboard_tests::program::inherit;
use callboard_tests::{Finished, callboard};

use crate::{Desk, playbook, say};

const KILLED: &str = "- hosts: localhost
  gather_facts: false
  tasks: [debug: {msg: \"{{ lookup('pipe', 'kill -9 $(ps -o ppid= -p $PPID)') }}\"}]
";
const FAILS_HERE: &str = "- hosts: localhost
  gather_facts: false
  tasks: [fail: {msg: no quota}]
";
/// It goes on writing after the playbook's end, faster than anybody reads.
const WRITER: &str = "
import subprocess, time
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, 'aggregate', 'writer'
    def v2_playbook_on_play_start(self, play):
        subprocess.Popen('(sleep 1; timeout 600 yes left) &', shell=True, stdout=1)
    def v2_playbook_on_stats(self, stats):
        time.sleep(2)
";

#[test]
fn ansible_killed_by_a_signal_ends_as_a_shell_says() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("kill.yml", KILLED)?;
    let run = desk.run(&["kill.yml"])?;
    ensure!(run.code == 137 && run.stderr.contains("(SIGKILL)"), "{run:?}");
    Ok(())
}

#[test]
fn a_failure_on_this_machine_is_told_where_the_inventory_is_empty() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("fails.yml", FAILS_HERE)?;
    desk.write("empty.ini", "")?;
    let run = desk.run(&["fails.yml", "-i", "empty.ini"])?;
    let told = "1 of 1 host failed: localhost in task \"fail\" (fails.yml:3): no quota";
    ensure!(run.code == 2 && run.stderr.trim_end().ends_with(told), "{run:?}");
    Ok(())
}

#[test]
fn what_is_left_running_and_writes_does_not_hold_the_run() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("hello.yml", &say("hello"))?;
    desk.write("callback_plugins/writer.py", WRITER)?;
    desk.write(
        "ansible.cfg",
        "[defaults]\ncallback_plugins = callback_plugins\ncallbacks_enabled = writer\n",
    )?;
    let run = desk.run(&["hello.yml"])?;
    ensure!(run.code == 0 && run.stderr.contains("successful in "), "{}", run.stderr);
    ensure!(run.stdout.contains("left\nleft\n"), "nothing was left running");
    Ok(())
}

#[test]
fn a_reader_that_leaves_early_changes_nothing_about_the_exit_code() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("fails.yml", FAILS_HERE)?;
    let inner = callboard(desk.data.path())?;
    let mut command = Command::new("bash");
    command
        .args([
            "-c",
            "\"$0\" run fails.yml 2>&1 | head -1 >/dev/null; exit ${PIPESTATUS[0]}",
        ])
        .arg(inner.get_program())
        .current_dir(desk.folder.path());
    inherit(&mut command, &inner);
    let run = Finished::from(command.stdin(Stdio::null()).output()?);
    ensure!(run.code == 2, "{run:?}");
    Ok(())
}

#[test]
fn this_machine_is_reached_as_the_caller_says() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("ping.yml", "- {hosts: all, gather_facts: false, tasks: [ping: ]}")?;
    let local = desk.run(&["ping.yml"])?;
    ensure!(local.code == 0, "{local:?}");
    let ssh = desk.run(&["ping.yml", "-i", "localhost,", "-c", "ssh", "-e", "ansible_port=1"])?;
    ensure!(
        ssh.code == 4 && ssh.stderr.contains("port 1: Connection refused"),
        "{ssh:?}"
    );
    Ok(())
}

#[test]
fn a_tilde_in_an_inventory_is_the_caller_s_home() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("hosts.ini", "web1 ansible_connection=local\n")?;
    let run: Finished = callboard(desk.data.path())?
        .args(["run", &playbook("hello.yml"), "--inventory=~/hosts.ini"])
        .env("HOME", desk.folder.path())
        .env("CALLBOARD_CACHE", callboard_tests::program::cache()?)
        .output()?
        .into();
    ensure!(run.code == 0 && run.stderr.contains(", web1: ok=1"), "{run:?}");
    Ok(())
}

#[test]
fn a_data_folder_that_is_not_there_is_named_and_not_made() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    let typo = desk.folder.path().join("dtaa");
    let folder = typo.display().to_string();
    for verb in [
        &["list"][..],
        &["show", "x"],
        &["logs", "x"],
        &["verify", "x"],
        &["known-hosts", "list"],
    ] {
        let call = desk.call(&[verb, &["--data", &folder]].concat())?;
        ensure!(
            call.code == 1 && call.stderr.contains("there is no data folder") && call.stderr.contains(&folder),
            "{verb:?}: {call:?}"
        );
        ensure!(!typo.exists(), "{verb:?}");
    }
    Ok(())
}
