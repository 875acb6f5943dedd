//! Which playbooks are run: files, playbooks of collections by name, and several of them.

use std::os::unix::fs::symlink;

use anyhow::ensure;
use serde_json::Value;

use crate::{Desk, playbook, say};

#[test]
fn a_playbook_of_a_collection_goes_by_its_name() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("ansible.cfg", "[defaults]\ncollections_path = ./collections\n")?;
    let web = "collections/ansible_collections/acme/web/playbooks";
    desk.write(&format!("{web}/site.yml"), &say("from acme.web"))?;
    desk.write("my.own.playbook.yml", &say("a file with dots"))?;
    for (name, told) in [
        ("acme.web.site", "from acme.web"),
        ("my.own.playbook.yml", "a file with dots"),
    ] {
        let run = desk.run(&[name])?;
        ensure!(run.code == 0 && run.stdout.contains(told), "{run:?}");
        ensure!(desk.newest()?["playbook"] == name);
    }
    let run = desk.run(&["acme.web.nope"])?;
    let error = desk.newest()?["error"].clone();
    ensure!(
        run.code == 1
            && error
                .as_str()
                .is_some_and(|error| error.contains(web.trim_end_matches("/playbooks"))),
        "{run:?}"
    );
    let run = desk.run(&["acme.nope"])?;
    ensure!(
        run.code == 1 && run.stderr.starts_with("callboard: the playbook acme.nope is not there"),
        "{run:?}"
    );
    Ok(())
}

#[test]
fn several_playbooks_are_one_job_whose_record_names_all() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    desk.write("first.yml", &say("the first"))?;
    desk.write("more/second.yml", &say("the second"))?;
    let run = desk.run(&["first.yml", "more/second.yml"])?;
    ensure!(run.code == 0, "{run:?}");
    let order = ["the first", "the second"].map(|told| run.stdout.find(told));
    ensure!(order[0].is_some() && order[0] < order[1], "{run:?}");
    let job = desk.newest()?;
    ensure!(
        job["playbook"] == "first.yml" && job["options"]["labels"]["playbooks"] == "first.yml, more/second.yml",
        "{job}"
    );
    ensure!(job["result"]["stats"]["localhost"]["ok"] == 2, "{job}");

    let failing = playbook("features/failing.yml");
    let run = desk.run(&[&failing, "first.yml", "-i", "bad,", "-e", "ansible_connection=local"])?;
    ensure!(run.code == 2 && !run.stdout.contains("the first"), "{run:?}");
    let run = desk.run(&["first.yml", "no.yml"])?;
    ensure!(
        run.code == 1 && run.stdout.is_empty() && run.stderr.contains("the playbook no.yml is not there"),
        "{run:?}"
    );
    Ok(())
}

/// Ansible looks beside the link, not beside what it leads to.
#[test]
fn a_playbook_that_is_a_link_has_the_roles_beside_the_link() -> anyhow::Result<()> {
    let desk = Desk::new()?;
    for (folder, told) in [("site", "of the site"), ("shared", "of the shared folder")] {
        desk.write(
            &format!("{folder}/roles/tell/tasks/main.yml"),
            &format!("- debug: {{msg: {told}}}"),
        )?;
        desk.write(&format!("{folder}/group_vars/all.yml"), &format!("word: {told}"))?;
    }
    desk.write(
        "shared/play.yml",
        "- {hosts: all, gather_facts: false, roles: [tell], tasks: [debug: {var: word}]}",
    )?;
    desk.write("shared/hosts.ini", "localhost ansible_connection=local\n")?;
    for name in ["play.yml", "hosts.ini"] {
        symlink(format!("../shared/{name}"), desk.folder.path().join("site").join(name))?;
    }
    let run = desk.run(&["site/play.yml", "-i", "site/hosts.ini"])?;
    ensure!(
        run.code == 0 && run.stdout.matches("of the site").count() == 2,
        "{run:?}"
    );
    Ok(())
}

impl Desk {
    /// Returns the record of the newest job.
    pub(crate) fn newest(&self) -> anyhow::Result<Value> {
        let list = self.call(&["list", "--limit", "1"])?;
        let job: Value = serde_json::from_str(&list.stdout)?;
        let show = self.call(&["show", job["job_id"].as_str().unwrap_or_default()])?;
        Ok(serde_json::from_str(&show.stdout)?)
    }
}
