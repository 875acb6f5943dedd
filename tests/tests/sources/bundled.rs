//! Sources that are where jobs run: playbooks of the folder by their long form, roles of it, and roles of its collections.

use std::fs;

use anyhow::ensure;
use callboard_tests::Service;
use serde_json::{Value, json};

const TASKS: &str = "- ansible.builtin.debug: {msg: \"{{ role_name }} says {{ word | default('nothing') }}\"}\n";

#[tokio::test]
async fn playbooks_roles_and_collections_of_the_folder_run_without_a_repository() -> anyhow::Result<()> {
    let (data, playbooks) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for (path, content) in [
        ("site.yml", "- hosts: all\n  gather_facts: false\n  roles: [plain]\n"),
        ("roles/plain/tasks/main.yml", TASKS),
        (
            "collections/ansible_collections/acme/web/roles/site/tasks/main.yml",
            TASKS,
        ),
    ] {
        let path = playbooks.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(playbooks.path()))?;
        fs::write(path, content)?;
    }
    let service = Service::start_with(data.path(), playbooks.path(), &[])?;
    let client = service.client();
    let vars = json!({"word": "{{ 1 }}"});
    for (source, name, told) in [
        (
            json!({"type": "playbook", "path": "site.yml"}),
            "site.yml",
            "plain says nothing",
        ),
        (
            json!({"type": "role", "role": "plain", "role_vars": vars}),
            "plain",
            "plain says {{ 1 }}",
        ),
        (
            json!({"type": "role", "role": "acme.web.site", "role_vars": vars}),
            "acme.web.site",
            "site says {{ 1 }}",
        ),
        (
            json!({"type": "collection_role", "collection": "acme.web", "role": "site"}),
            "acme.web.site",
            "site says nothing",
        ),
    ] {
        let job = client.run(&json!({"source": source})).await?;
        ensure!(job["status"] == "successful" && job["playbook"] == name, "{job}");
        ensure!(job["source"] == source && job["commit"] == Value::Null, "{job}");
        ensure!(
            job["result"]["stdout"].as_str().is_some_and(|out| out.contains(told)),
            "{job}"
        );
    }
    let absent = client
        .run(&json!({"source": {"type": "role", "role": "acme.web.nope"}}))
        .await?;
    ensure!(absent["reason"] == "source_unavailable", "{absent}");
    ensure!(
        absent["error"] == "The collection acme.web has no role \"nope\"; it has: site.",
        "{absent}"
    );
    Ok(())
}
