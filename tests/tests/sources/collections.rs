//! Roles of repositories that are collections.

use anyhow::ensure;
use callboard_tests::Part;
use callboard_tests::servers::{Mode::Plain, Repository};
use serde_json::json;

use crate::{World, playbook, with};

/// A collection whose role `site` uses a module of its own, and has `callboard_test.base` greet.
fn publish(repository: &Repository, galaxy: &str, version: &str) -> anyhow::Result<String> {
    const MODULE: &str = "#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).exit_json(msg='the own module')
";
    let about = format!(
        "namespace: acme\nname: web\nversion: 1.0.0\nreadme: README.md\nauthors: [Acme]\n\
        dependencies: {{callboard_test.base: '{version}'}}\n"
    );
    let configuration = format!("[galaxy]\nserver_list = own\n[galaxy_server.own]\nurl = {galaxy}\n");
    repository.commit(
        "main",
        &[
            ("galaxy.yml", &about, Plain),
            ("ansible.cfg", &configuration, Plain),
            ("meta/runtime.yml", "requires_ansible: '>=2.15.0'\n", Plain),
            ("plugins/modules/tell.py", MODULE, Plain),
            (
                "roles/site/tasks/main.yml",
                "- acme.web.tell:\n- ansible.builtin.include_role: {name: callboard_test.base.greet}\n\
            - ansible.builtin.include_role: {name: inner}\n",
                Plain,
            ),
            (
                "roles/inner/tasks/main.yml",
                "- ansible.builtin.debug: {msg: \"{{ word }} from {{ ansible_role_name }}\"}\n",
                Plain,
            ),
        ],
    )
}

#[tokio::test]
async fn a_role_of_a_repository_that_is_a_collection_has_its_plugins_and_dependencies() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git, Part::Galaxy])?;
    let (repository, name) = world.repository("acme-web")?;
    let galaxy = world.servers.galaxy()?;
    let commit = publish(&repository, &galaxy.url, ">=1.0.0,<2.0.0")?;
    let role =
        json!({"type": "role", "repo": repository.url(), "role_vars": {"word": "{{ literal }}", "greeting": "Hi"}});
    for name in ["site", "acme.web.site"] {
        let played = world.succeed(&with(&role, "role", name)).await?;
        let events = format!("{:?}", world.client.events(&played.id).await?);
        for told in [
            "the own module",
            "Hi from base 1.1.0",
            "{{ literal }} from acme.web.inner",
        ] {
            ensure!(events.contains(told), "{told}: {}", played.log);
        }
        ensure!(
            played.job["commit"] == commit.as_str() && played.job["playbook"] == name,
            "{}",
            played.job
        );
    }
    ensure!(galaxy.downloads("base", "1.1.0")? == 1, "{}", galaxy.log.text()?);
    ensure!(world.git()?.fetches(&name)? == 1);
    Ok(())
}

#[tokio::test]
async fn a_collection_may_lie_in_a_folder_of_its_repository() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("many")?;
    let tasks = "- ansible.builtin.debug: {msg: \"in {{ ansible_role_name }}\"}\n";
    repository.commit(
        "main",
        &[
            (
                "collections/web/galaxy.yml",
                "{namespace: acme, name: web, version: 1.0.0}\n",
                Plain,
            ),
            ("collections/web/roles/site/tasks/main.yml", tasks, Plain),
            ("galaxy.yml", "{namespace: acme, name: all, version: 1.0.0}\n", Plain),
        ],
    )?;
    let source = json!({"type": "role", "repo": repository.url(), "path": "collections/web", "role": "acme.web.site"});
    let played = world.succeed(&source).await?;
    ensure!(played.log.contains("in acme.web.site"), "{}", played.log);
    Ok(())
}

#[tokio::test]
async fn a_role_that_a_collection_does_not_have_is_answered_with_those_that_it_has() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git, Part::Galaxy])?;
    let galaxy = &world.servers.galaxy()?.url;
    let (good, _) = world.repository("good")?;
    publish(&good, galaxy, "*")?;
    let (needy, _) = world.repository("needy")?;
    publish(&needy, galaxy, ">=9.0.0")?;
    let (broken, _) = world.repository("broken")?;
    broken.commit("main", &[("galaxy.yml", "namespace: [a\n", Plain)])?;
    let (hostile, _) = world.repository("hostile")?;
    hostile.commit("main", &[("galaxy.yml", "{namespace: ../.., name: x}\n", Plain)])?;
    let is = format!("The repository {} is the collection acme.web, ", good.url());
    for (repository, role, told) in [
        (
            &good,
            None,
            format!("{is}so the source must name one of its roles: inner, site."),
        ),
        (&good, Some("acme.other.site"), format!("{is}not acme.other.")),
        (
            &good,
            Some("apache"),
            format!("{is}and has no role \"apache\"; it has: inner, site."),
        ),
        (
            &good,
            Some("acme.web.apache"),
            format!("{is}and has no role \"apache\"; it has: inner, site."),
        ),
        (
            &needy,
            Some("site"),
            "The dependencies of acme.web could not be installed: ".to_owned(),
        ),
        (
            &broken,
            Some("site"),
            format!("The galaxy.yml of {} cannot be read: ", broken.url()),
        ),
        (
            &hostile,
            Some("site"),
            format!(
                "The galaxy.yml of {} cannot be read: namespace and name must be identifiers.",
                hostile.url()
            ),
        ),
    ] {
        let source = json!({"type": "role", "repo": repository.url(), "role": role});
        let error = world.fail(&source, "source_unavailable").await?;
        ensure!(error.starts_with(&told), "{told}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_collection_that_lies_in_the_source_is_that_of_the_commit_that_runs() -> anyhow::Result<()> {
    const ABOUT: &str = "{namespace: acme, name: web, version: 1.0.0, readme: README.md, authors: [Acme]}";
    const SITE: &str = "- hosts: all\n  gather_facts: false\n  roles: [acme.web.site]\n";
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("site")?;
    for word in ["first", "second"] {
        let files = [
            ("site.yml", SITE, Plain),
            (
                "requirements.yml",
                "collections: [{source: ./local, type: dir}]\n",
                Plain,
            ),
            ("local/galaxy.yml", ABOUT, Plain),
            ("local/README.md", "Web\n", Plain),
            (
                "local/roles/site/tasks/main.yml",
                &format!("- ansible.builtin.debug: {{msg: {word}}}\n"),
                Plain,
            ),
        ];
        repository.commit("main", &files)?;
        let played = world.succeed(&playbook(repository.url(), "site.yml")).await?;
        ensure!(
            played.log.contains(&format!("\"msg\": \"{word}\"")),
            "{word}: {}",
            played.log
        );
    }
    Ok(())
}
