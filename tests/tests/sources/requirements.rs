//! What a source itself says that it requires.

use anyhow::ensure;
use callboard_tests::Part;
use callboard_tests::servers::{Mode::Plain, Repository};
use serde_json::json;

use crate::{World, playbook, say};

#[tokio::test]
async fn collections_and_roles_are_installed_from_every_usual_place_and_only_once() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git, Part::Galaxy])?;
    let galaxy = world.servers.galaxy()?;
    let roles = ["first", "second", "third"].map(|name| publish_role(&world, name));
    let [first, second, third] = roles;
    let ((first, first_name), (second, second_name), (third, third_name)) = (first?, second?, third?);
    let collection = |name: &str, version: &str| format!("{{name: callboard_test.{name}, version: '{version}'}}");
    let servers = format!(
        "[galaxy]\nserver_list = own\n[galaxy_server.own]\nurl = {}\n",
        galaxy.url
    );
    const SITE: &str = "
- hosts: all
  gather_facts: false
  roles: [first, second, third, callboard_test.web.site]
  tasks:
    - ansible.builtin.import_role: {name: callboard_test.base.greet}
";
    let (repository, name) = world.repository("site")?;
    repository.commit(
        "main",
        &[
            ("plays/site.yml", SITE, Plain),
            ("ansible.cfg", &servers, Plain),
            (
                "requirements.yml",
                &format!("roles:\n  - {}\n", requirement(&first, "first")),
                Plain,
            ),
            (
                "roles/requirements.yml",
                &format!("- {}\n", requirement(&second, "second")),
                Plain,
            ),
            (
                "plays/roles/requirements.yaml",
                &format!("- {}\n", requirement(&third, "third")),
                Plain,
            ),
            (
                "collections/requirements.yml",
                &format!("collections: [{}]\n", collection("web", "*")),
                Plain,
            ),
            (
                "plays/collections/requirements.yml",
                &format!("collections: [{}]\n", collection("base", "1.0.0")),
                Plain,
            ),
        ],
    )?;
    let mut asked = 0;
    for run in 0..2 {
        let played = world.succeed(&playbook(repository.url(), "plays/site.yml")).await?;
        for told in [
            "first runs",
            "second runs",
            "third runs",
            "site of web 1.2.0",
            "Hello from base 1.",
        ] {
            ensure!(played.log.contains(told), "{told}: {}", played.log);
        }
        let git = world.git()?;
        for name in [&name, &first_name, &second_name, &third_name] {
            ensure!(git.fetches(name)? == 1, "{:?}", git.requests(name)?);
        }
        ensure!(galaxy.downloads("web", "1.2.0")? == 1, "{}", galaxy.log.text()?);
        ensure!(
            run == 0 || galaxy.log.requests()?.len() == asked,
            "{}",
            galaxy.log.text()?
        );
        asked = galaxy.log.requests()?.len();
    }
    Ok(())
}

#[tokio::test]
async fn requirements_that_change_are_installed_anew_and_those_of_another_playbook_are_left_alone() -> anyhow::Result<()>
{
    let world = World::start(&[Part::Git, Part::Galaxy])?;
    let galaxy = world.servers.galaxy()?;
    let require = |version: &str| {
        let source = &galaxy.url;
        format!("collections:\n- {{name: callboard_test.base, version: '{version}', source: '{source}'}}\n")
    };
    let greet = "- hosts: all\n  gather_facts: false\n  roles: [callboard_test.base.greet]\n";
    let (repository, _) = world.repository("site")?;
    let source = playbook(repository.url(), "site.yml");
    let requires = |version: &str| {
        let broken = "collections: [{name: no.such, version: '1', source: 'https://127.0.0.1:1/'}]\n";
        repository.commit(
            "main",
            &[
                ("site.yml", greet, Plain),
                ("requirements.yml", &require(version), Plain),
                ("other/requirements.yml", broken, Plain),
            ],
        )
    };
    for version in ["1.0.0", "2.0.0", "1.0.0"] {
        requires(version)?;
        let played = world.succeed(&source).await?;
        ensure!(
            played.log.contains(&format!("Hello from base {version}")),
            "{version}: {}",
            played.log
        );
        ensure!(
            galaxy.downloads("base", version)? == 1,
            "{version}: {}",
            galaxy.log.text()?
        );
    }
    Ok(())
}

#[tokio::test]
async fn requirements_that_cannot_be_installed_fail_the_job_with_the_reason() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git, Part::Galaxy])?;
    let url = &world.servers.galaxy()?.url;
    let absent = format!("collections:\n- {{name: callboard_test.base, version: '9.9.9', source: '{url}'}}\n");
    let git = &world.git()?.url;
    let role = format!("roles:\n- {{src: '{git}/public/none.git', scm: git, name: none}}\n");
    let hostile = "roles:\n- {src: 'ext::sh -c id', scm: git, name: none}\n";
    let large = format!("# {}\ncollections: []\n", "x".repeat(1_100_000));
    for (name, content, told) in [
        ("absent", absent.as_str(), "callboard_test.base:9.9.9"),
        ("role", &role, "/public/none.git/' not found."),
        (
            "hostile",
            hostile,
            "has an address that must hold only characters that an address may have",
        ),
        ("list", "collections: 7\n", "'int' object is not iterable."),
        (
            "yaml",
            "collections: [\n",
            "could not be installed: Failed to parse the requirements yml at 'requirements.yml'",
        ),
        (
            "word",
            "nothing\n",
            "requirements yaml to be a list or dictionary but got str.",
        ),
        ("large", &large, "hold a file of more than 1048576 bytes."),
    ] {
        let (repository, _) = world.repository(name)?;
        repository.commit(
            "main",
            &[("site.yml", &say("x"), Plain), ("requirements.yml", content, Plain)],
        )?;
        let error = world
            .fail(&playbook(repository.url(), "site.yml"), "source_unavailable")
            .await?;
        let of = format!("The requirements of {} ", repository.url());
        ensure!(error.starts_with(&of) && error.contains(told), "{name}: {error}");
    }
    Ok(())
}

fn publish_role(world: &World, name: &str) -> anyhow::Result<(Repository, String)> {
    let (repository, full) = world.repository(name)?;
    let tasks = format!("- ansible.builtin.debug: {{msg: {name} runs}}\n");
    let meta = json!({"galaxy_info": {"author": "tests", "description": "x", "license": "MIT", "min_ansible_version": "2.15"}, "dependencies": []});
    repository.commit(
        "main",
        &[
            ("tasks/main.yml", &tasks, Plain),
            ("meta/main.yml", &meta.to_string(), Plain),
        ],
    )?;
    Ok((repository, full))
}

fn requirement(role: &Repository, name: &str) -> String {
    format!("{{src: '{}', scm: git, version: main, name: {name}}}", role.url())
}

#[tokio::test]
async fn what_lies_in_a_repository_is_not_taken_for_that_of_another() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git, Part::Galaxy])?;
    let galaxy = "namespace: acme\nname: inner\nversion: 1.0.0\nreadme: README.md\nauthors: [acme]\n";
    let site = "- hosts: all\n  gather_facts: false\n  roles: [acme.inner.told]\n";
    for name in ["one", "other"] {
        let (repository, _) = world.repository(name)?;
        let says = format!("- ansible.builtin.debug: {{msg: of {name}}}\n");
        let files = [
            ("site.yml", site, Plain),
            (
                "requirements.yml",
                "collections: []\ncollections:\n- {name: ./inner, type: dir}\n",
                Plain,
            ),
            ("inner/galaxy.yml", galaxy, Plain),
            ("inner/README.md", "", Plain),
            ("inner/roles/told/tasks/main.yml", &says, Plain),
        ];
        repository.commit("main", &files)?;
        let played = world.succeed(&playbook(repository.url(), "site.yml")).await?;
        ensure!(played.log.contains(&format!("\"of {name}\"")), "{name}: {}", played.log);
    }
    Ok(())
}
