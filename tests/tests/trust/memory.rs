//! A real kernel that runs out of memory: who was killed, and by whom, is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::{Service, program};
use serde_json::json;

const LIMIT_BYTES: &str = "400000000";
/// Allocates far more than that, in Ansible's own process.
const FILTER: &str =
    "class FilterModule:\n    def filters(self):\n        return {'swell': lambda _: len(bytearray(2 ** 30))}\n";
const PLAYS: [(&str, &str); 2] = [
    (
        "worker.yml",
        "{name: Swell, ansible.builtin.debug: {msg: \"{{ 'x' | swell }}\"}}",
    ),
    (
        "module.yml",
        "{name: Swell, ansible.builtin.command: \"{{ ansible_playbook_python }} -c 'bytearray(2 ** 30)'\"}",
    ),
];

/// A control group with little memory; removed when dropped.
struct Group(PathBuf);

impl Group {
    fn create() -> anyhow::Result<Self> {
        let first = Path::new("/sys/fs/cgroup/memory");
        let (root, limit) = if first.is_dir() {
            (first, "memory.limit_in_bytes")
        } else {
            (Path::new("/sys/fs/cgroup"), "memory.max")
        };
        let group = Self(root.join(format!("callboard-{}", std::process::id())));
        let made = fs::create_dir(&group.0).and_then(|()| fs::write(group.0.join(limit), LIMIT_BYTES));
        made.context("this test makes a control group for memory, which needs root")?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

#[tokio::test]
async fn a_process_that_the_kernel_kills_for_want_of_memory_is_told_as_such() -> anyhow::Result<()> {
    let group = Group::create()?;
    let (data, playbooks) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fs::create_dir(playbooks.path().join("filter_plugins"))?;
    fs::write(playbooks.path().join("filter_plugins/swell.py"), FILTER)?;
    for (name, task) in PLAYS {
        let play = format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n");
        fs::write(playbooks.path().join(name), play)?;
    }
    let mut command = Command::new("sh");
    command
        .args(["-c", "echo $$ > \"$1/cgroup.procs\" && shift && exec \"$@\"", "sh"])
        .arg(&group.0)
        .arg(program::path("callboard")?)
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks.path())
        .env("CALLBOARD_DATA", data.path());
    let mut service = Service::spawn(command)?;
    let client = service.client();

    let job = client.run(&json!({"playbook": "worker.yml"})).await?;
    ensure!(job["status"] == "failed" && job["reason"] == "out_of_memory", "{job}");
    let error = "Ansible's process for localhost in task \"Swell\" (worker.yml:4) was killed (SIGKILL); the kernel killed a \
                 process during the job because memory ran out. Give the worker more memory, or the job fewer forks.";
    ensure!(job["error"] == error, "{job}");

    let job = client.run(&json!({"playbook": "module.yml"})).await?;
    ensure!(job["status"] == "failed" && job["reason"] == "playbook_failed", "{job}");
    let told = job["error"].as_str().unwrap_or_default();
    ensure!(told.contains("SIGKILL") && told.contains("memory ran out"), "{told}");

    service.signal(rustix::process::Signal::TERM)?;
    service.wait()?;
    Ok(())
}
