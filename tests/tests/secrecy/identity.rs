//! The service's own identity is out of a playbook's reach.

use std::process::Command;

use anyhow::ensure;
use callboard_tests::program::wrap;
use callboard_tests::{Service, callboard};
use serde_json::json;

const CANARIES: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "AKIA-of-the-service"),
    ("AWS_SECRET_ACCESS_KEY", "key-of-the-service"),
    ("AWS_SESSION_TOKEN", "session-of-the-service"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://address-of-the-service"),
];
/// Names processes only: what else is in their variables is nobody's business.
const PLAYBOOK: &str = r#"
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "lookup {{ lookup('env', item) | default('none', true) }}"}
      loop: "{{ names }}"
    - shell: "for place in /proc/[0-9]*; do grep -qa of-the-service $place/environ && cat $place/comm; done"
      register: found
      failed_when: false
    - debug: {msg: "shown by {{ found.stdout_lines }}"}
    - shell: "cat /proc/{{ pid }}/environ > /dev/null"
      register: own
      failed_when: false
    - debug: {msg: "the service's: {{ own.stderr }}"}
"#;

/// As somebody who may not look into others' processes, as root may.
fn without_capabilities(command: Command) -> Command {
    if !rustix::process::geteuid().is_root() {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]);
    wrap(wrapped, &command)
}

#[tokio::test]
async fn a_playbook_sees_no_variable_of_the_service_in_its_own_or_another_process() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut command = callboard(data.path())?;
    command.args(["serve", "--listen", "127.0.0.1:0", "--playbooks"]);
    command.arg(callboard_tests::playbooks()).envs(CANARIES);
    let service = Service::spawn(without_capabilities(command))?;
    let names = CANARIES.map(|(name, _)| name);
    let request = json!({
        "source": {"type": "inline", "content": PLAYBOOK}, "extra_vars": {"pid": service.pid(), "names": names},
    });
    let client = service.client();
    let id = client.submit(&request).await?;
    let job = client.ended(&id).await?;
    let log = callboard_tests::text::plain(&client.logs(&id).await?);
    ensure!(job["status"] == "successful", "{log}");
    ensure!(log.contains("\"lookup none\"") && log.contains("shown by []"), "{log}");
    ensure!(log.contains("Permission denied"), "{log}");
    for (name, value) in CANARIES {
        ensure!(!log.contains(value), "{name} is told: {log}");
    }
    Ok(())
}
