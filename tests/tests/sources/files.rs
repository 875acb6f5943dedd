//! The tree that a playbook finds around it: all of it, and as it was committed.

use anyhow::ensure;
use callboard_tests::Part;
use callboard_tests::servers::Mode::{Executable, Plain, Symlink};

use crate::{World, playbook};

#[tokio::test]
async fn roles_files_templates_variables_and_configuration_beside_a_playbook_are_found() -> anyhow::Result<()> {
    const SITE: &str = "
- hosts: all
  gather_facts: false
  vars_files: [vars/more.yml]
  roles: [beside, above]
  tasks:
    - ansible.builtin.debug:
        msg: \"{{ lookup('template', 'word.j2') }} {{ lookup('file', 'plain.txt') }} {{ lookup('file', 'linked.txt') }}\"
    - ansible.builtin.debug:
        msg: \"{{ from_group }} {{ lookup('config', 'DEFAULT_MANAGED_STR') }}\"
    - ansible.builtin.command: \"'{{ playbook_dir }}/files/run me.sh'\"
      register: ran
    - ansible.builtin.debug: {msg: \"{{ ran.stdout }} in {{ ran.cmd | length }}\"}
    - ansible.builtin.import_tasks: ../shared/tasks.yml
";
    let role = |name: &str| format!("- ansible.builtin.debug: {{msg: role {name}}}\n");
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("site")?;
    repository.commit(
        "main",
        &[
            ("my plays/day one.yml", SITE, Plain),
            ("my plays/ansible.cfg", "[defaults]\nansible_managed = nested\n", Plain),
            ("ansible.cfg", "[defaults]\nansible_managed = outer\n", Plain),
            ("my plays/vars/more.yml", "word: templated\n", Plain),
            ("my plays/group_vars/all.yml", "from_group: grouped\n", Plain),
            ("my plays/templates/word.j2", "{{ word }}", Plain),
            ("my plays/files/plain.txt", "filed", Plain),
            ("my plays/files/linked.txt", "../../shared/target.txt", Symlink),
            ("my plays/files/run me.sh", "#!/bin/sh\necho executed\n", Executable),
            ("my plays/roles/beside/tasks/main.yml", &role("beside"), Plain),
            ("roles/above/tasks/main.yml", &role("above"), Plain),
            ("shared/target.txt", "linked", Plain),
            ("shared/tasks.yml", &role("shared"), Plain),
        ],
    )?;
    let played = world
        .succeed(&playbook(repository.url(), "my plays/day one.yml"))
        .await?;
    for told in [
        "role beside",
        "role above",
        "templated filed linked",
        "grouped nested",
        "executed in 1",
        "role shared",
    ] {
        ensure!(
            played.log.contains(&format!("\"msg\": \"{told}\"")),
            "{told}: {}",
            played.log
        );
    }
    ensure!(played.job["playbook"] == "my plays/day one.yml", "{}", played.job);
    Ok(())
}

#[tokio::test]
async fn no_attribute_of_a_repository_changes_what_its_files_hold() -> anyhow::Result<()> {
    const ATTRIBUTES: &str = "left.txt export-ignore\nleft export-ignore\nversion.txt export-subst ident\n\
        unix.txt text eol=crlf\nwindows.txt text eol=lf\nfiltered.txt filter=lfs working-tree-encoding=UTF-16\n";
    const SITE: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: \"{{ item }} {{ lookup('file', item, rstrip=false) | to_json }}\"}
      loop: [left.txt, left/deep.txt, version.txt, unix.txt, windows.txt, filtered.txt, sub/again.txt]
";
    let files = [
        ("left.txt", "left"),
        ("left/deep.txt", "deep"),
        ("version.txt", "$Format:%H$ $Id$"),
        ("unix.txt", "a\nb\n"),
        ("windows.txt", "a\r\nb\r\n \r\n"),
        ("filtered.txt", "é\n"),
        ("sub/again.txt", "$Format:%H$"),
    ];
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("site")?;
    let mut all = vec![
        ("site.yml", SITE, Plain),
        (".gitattributes", ATTRIBUTES, Plain),
        ("sub/.gitattributes", "* export-ignore export-subst\n", Plain),
    ];
    all.extend(files.map(|(path, content)| (path, content, Plain)));
    repository.commit("main", &all)?;
    let played = world.succeed(&playbook(repository.url(), "site.yml")).await?;
    let events = world.client.events(&played.id).await?;
    let said: Vec<_> = events
        .iter()
        .filter_map(|event| event["event_data"]["res"]["msg"].as_str())
        .collect();
    for (path, content) in files {
        let content = serde_json::Value::from(content).to_string().replace('é', "\\u00e9");
        ensure!(
            said.contains(&format!("{path} {content}").as_str()),
            "{path} {content}: {said:?}"
        );
    }
    Ok(())
}
