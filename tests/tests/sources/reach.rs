//! Whatever a source requires, however deep, and whichever program fetches it: it reaches only what the policy allows.

use std::net::TcpListener;

use anyhow::{Context, ensure};
use callboard_tests::servers::Mode::Plain;
use callboard_tests::servers::gitmodules;
use callboard_tests::{Part, Servers};
use serde_json::json;

use crate::{World, allow_all, host, playbook, say, with};

/// A listener that nobody must connect to.
struct Trap(TcpListener);

impl Trap {
    fn set() -> anyhow::Result<Self> {
        Ok(Self(TcpListener::bind("127.0.0.1:0")?))
    }

    fn address(&self) -> anyhow::Result<String> {
        Ok(self.0.local_addr()?.to_string())
    }

    fn check(&self) -> anyhow::Result<()> {
        self.0.set_nonblocking(true)?;
        ensure!(self.0.accept().is_err(), "somebody has connected");
        Ok(())
    }
}

/// Allows one organisation of one Git server, and one Galaxy server.
fn narrow(servers: &Servers) -> anyhow::Result<serde_json::Value> {
    let git = format!("{}/public", host(&servers.git()?.url));
    Ok(json!({"git": [git], "galaxy_servers": [servers.galaxy()?.url]}))
}

/// The files of a role that requires another.
fn meta(dependency: &str) -> String {
    let info = "galaxy_info: {author: tests, description: x, license: MIT, min_ansible_version: '2.15'}";
    format!("{info}\ndependencies:\n  - {dependency}\n")
}

#[tokio::test]
async fn requirements_and_what_they_require_in_turn_reach_nothing_that_is_not_listed() -> anyhow::Result<()> {
    let (world, trap) = (
        World::start_with(&[Part::Git, Part::Galaxy], narrow, |_| {})?,
        Trap::set()?,
    );
    let (git, closed) = (world.git()?, trap.address()?);
    let (here, other) = (host(&git.url), host(&git.other_url));
    let private = world.name("secret");
    git.publish_private(&private, &[("tasks/main.yml", "[]\n", Plain)])?;
    // what is required by a role, or by a collection from Git, nobody sees before it is there
    let requires = |name: &str, dependency: &str| {
        let (role, _) = world.repository(name)?;
        role.commit(
            "main",
            &[
                ("tasks/main.yml", "[]\n", Plain),
                ("meta/main.yml", &meta(dependency), Plain),
            ],
        )?;
        anyhow::Ok(format!(
            "roles:\n- {{src: '{}', scm: git, version: main, name: {name}}}\n",
            role.url()
        ))
    };
    let (collection, _) = world.repository("collection")?;
    let galaxy_yml = format!(
        "{{namespace: a, name: b, version: 1.0.0, readme: README.md, authors: [x], dependencies: {{'git+https://{other}/public/x.git': '*'}}}}\n"
    );
    collection.commit(
        "main",
        &[("galaxy.yml", &galaxy_yml, Plain), ("README.md", "x\n", Plain)],
    )?;
    let collection = format!("collections:\n- {{name: '{}', type: git}}\n", collection.url());
    let git_rule = format!("a repository of {other:?}");
    let git_rule = git_rule.replace('"', "");
    for (name, requirements, told) in [
        (
            "server",
            format!("collections:\n- {{name: a.b, source: 'http://{closed}/'}}\n"),
            format!("adding \"http://{closed}/\" to \"galaxy_servers\""),
        ),
        (
            "archive",
            format!("collections:\n- {{name: 'https://{closed}/a-b-1.0.0.tar.gz', type: url}}\n"),
            "\"inventory_hosts\"".to_owned(),
        ),
        (
            "tar",
            format!("roles:\n- {{src: 'http://{closed}/role.tar.gz'}}\n"),
            "127.0.0.1 has an address that is not public".to_owned(),
        ),
        (
            "repo",
            format!("roles:\n- {{src: 'https://{other}/public/x.git', scm: git}}\n"),
            format!("adding \"{other}/public\" to \"git\""),
        ),
        (
            "organisation",
            format!("roles:\n- {{src: 'https://{here}/private/{private}.git', scm: git}}\n"),
            format!("adding \"{here}/private\""),
        ),
        (
            "dots",
            format!("roles:\n- {{src: 'https://{here}/public/%2e%2e/private/{private}.git', scm: git}}\n"),
            "must name a repository by a path".to_owned(),
        ),
        (
            "link",
            "roles:\n- {src: 'http://169.254.169.254/role.tar.gz'}\n".to_owned(),
            "has an address that is never allowed".to_owned(),
        ),
        (
            "file",
            "collections:\n- {name: /etc, type: dir}\n".to_owned(),
            "\"/etc\" leads out".to_owned(),
        ),
        (
            "deep-repo",
            requires(
                "deep-repo",
                &format!("{{src: 'https://{other}/public/x.git', scm: git}}"),
            )?,
            git_rule.clone(),
        ),
        (
            "deep-org",
            requires(
                "deep-org",
                &format!("{{src: 'https://{here}/private/{private}.git', scm: git}}"),
            )?,
            format!("a repository of {here}"),
        ),
        (
            "deep-dots",
            requires(
                "deep-dots",
                &format!("{{src: 'https://{here}/public/%2e%2e/private/{private}.git', scm: git}}"),
            )?,
            "an address that escapes a dot".to_owned(),
        ),
        (
            "deep-slash",
            requires(
                "deep-slash",
                &format!("{{src: 'https://{here}/public/..%2fprivate/{private}.git', scm: git}}"),
            )?,
            "an address that escapes a dot".to_owned(),
        ),
        (
            "deep-tar",
            requires("deep-tar", &format!("{{src: 'http://{closed}/role.tar.gz'}}"))?,
            "127.0.0.1 has an address that is not public".to_owned(),
        ),
        (
            "deep-ssh",
            requires("deep-ssh", "{src: 'ssh://git@127.0.0.1:1/public/x.git', scm: git}")?,
            "a repository of 127.0.0.1:1".to_owned(),
        ),
        (
            "deep-http",
            requires(
                "deep-http",
                &format!("{{src: 'http://{closed}/public/x.git', scm: git}}"),
            )?,
            "transport 'http' not allowed".to_owned(),
        ),
        ("collection", collection, git_rule),
    ] {
        let (repository, _) = world.repository(&format!("of-{name}"))?;
        repository.commit(
            "main",
            &[
                ("site.yml", &say("x"), Plain),
                ("requirements.yml", &requirements, Plain),
            ],
        )?;
        let error = world
            .fail(&playbook(repository.url(), "site.yml"), "source_unavailable")
            .await?;
        ensure!(
            error.starts_with(&format!(
                "The requirements of {} could not be installed: ",
                repository.url()
            )),
            "{name}: {error}"
        );
        ensure!(error.contains(&told), "{name}: {told}: {error}");
        ensure!(
            !error.contains("never allowed") || !error.contains("adding"),
            "{name}: {error}"
        );
    }
    trap.check()?;
    ensure!(git.log.requests()?.iter().all(|request| request.server != "other"));
    ensure!(git.requests(&private)?.is_empty(), "{:?}", git.requests(&private)?);
    Ok(())
}

#[tokio::test]
async fn servers_that_ansibles_configuration_names_must_be_listed_and_those_of_the_policy_are_asked_otherwise()
-> anyhow::Result<()> {
    let trap = Trap::set()?;
    let closed = format!("http://{}/", trap.address()?);
    let world = World::start_with(&[Part::Git, Part::Galaxy], narrow, |_| {})?;
    let require = "collections:\n- {name: callboard_test.base, version: '==1.0.0'}\n";
    let greet = "- hosts: all\n  gather_facts: false\n  roles: [callboard_test.base.greet]\n";
    let of = |name: &str, configuration: &str| {
        let (repository, _) = world.repository(name)?;
        let files = [
            ("site.yml", greet, Plain),
            ("requirements.yml", require, Plain),
            ("ansible.cfg", configuration, Plain),
        ];
        repository.commit("main", &files)?;
        anyhow::Ok(playbook(repository.url(), "site.yml"))
    };
    let listed = format!("adding {closed:?} to \"galaxy_servers\"");
    for (name, configuration) in [
        ("server", format!("[galaxy]\nserver = {closed}\n")),
        (
            "list",
            format!("[galaxy]\nserver_list = a\n[galaxy_server.a]\nurl = {closed}\n"),
        ),
    ] {
        let error = world.fail(&of(name, &configuration)?, "source_unavailable").await?;
        ensure!(error.contains(&listed), "{name}: {error}");
    }
    let played = world.succeed(&of("none", "[defaults]\n")?).await?;
    ensure!(played.log.contains("Hello from base 1.0.0"), "{}", played.log);
    trap.check()
}

#[tokio::test]
async fn a_role_of_a_collection_comes_from_the_servers_of_the_policy_and_no_other() -> anyhow::Result<()> {
    let trap = Trap::set()?;
    let closed = format!("http://{}/", trap.address()?);
    let role = |version: &str| json!({"type": "collection_role", "collection": "callboard_test.base", "role": "greet", "version": version});
    let world = World::start_with(&[Part::Galaxy], allow_all, |command| {
        command
            .env("ANSIBLE_GALAXY_SERVER", &closed)
            .env("ANSIBLE_GALAXY_SERVER_LIST", "trap")
            .env("ANSIBLE_GALAXY_SERVER_TRAP_URL", &closed);
    })?;
    let galaxy = world.servers.galaxy()?;
    for source in [
        role("1.1.0"),
        with(&role("2.0.0"), "galaxy_server", galaxy.url.as_str()),
    ] {
        let played = world.succeed(&source).await?;
        ensure!(played.log.contains("Hello from base"), "{}", played.log);
    }
    let none = World::start_with(&[], |_| Ok(json!({"galaxy_servers": []})), |_| {})?;
    let error = none.fail(&role("1.1.0"), "source_unavailable").await?;
    ensure!(error.contains("\"galaxy_servers\" of the policy lists none"), "{error}");
    trap.check()
}

#[tokio::test]
async fn what_is_fetched_for_a_job_is_bounded_all_together() -> anyhow::Result<()> {
    const LIMIT: usize = 4_000_000;
    let world = World::start_with(&[Part::Git, Part::Galaxy], allow_all, |command| {
        command.args(["--fetch-max-bytes", &LIMIT.to_string()]);
    })?;
    // each file, and each archive, is within the limit
    let part = "0".repeat(1_500_000);
    let ((outer, _), (one, one_name), (two, two_name)) = (
        world.repository("outer")?,
        world.repository("one")?,
        world.repository("two")?,
    );
    let commits = [
        one.commit("main", &[("part", &part, Plain)])?,
        two.commit("main", &[("part", &part, Plain)])?,
    ];
    let modules =
        [("one", one_name), ("two", two_name)].map(|(path, name)| gitmodules(path, &format!("../{name}.git")));
    outer.commit(
        "main",
        &[
            ("site.yml", &say("x"), Plain),
            ("part", &part, Plain),
            (".gitmodules", &modules.concat(), Plain),
            ("one", &commits[0], callboard_tests::servers::Mode::Submodule),
            ("two", &commits[1], callboard_tests::servers::Mode::Submodule),
        ],
    )?;
    let source = playbook(outer.url(), "site.yml");
    world.succeed(&source).await?;
    let error = world
        .fail(&with(&source, "submodules", true), "source_unavailable")
        .await?;
    let full = format!(
        "together with everything else that was fetched for the job, it is larger than the limit of {LIMIT} bytes."
    );
    ensure!(error.ends_with(&full), "{error}");

    let (bomb, _) = world.repository("bomb")?;
    let names: Vec<String> = (0..8).map(|number| format!("files/{number}")).collect();
    let galaxy_yml = "{namespace: a, name: bomb, version: 1.0.0, readme: README.md, authors: [x]}\n";
    let mut files = vec![("galaxy.yml", galaxy_yml, Plain), ("README.md", "x\n", Plain)];
    files.extend(names.iter().map(|name| (name.as_str(), part.as_str(), Plain)));
    bomb.commit("main", &files)?;
    let (site, _) = world.repository("site")?;
    let requirements = format!("collections:\n- {{name: '{}', type: git}}\n", bomb.url());
    site.commit(
        "main",
        &[
            ("site.yml", &say("x"), Plain),
            ("requirements.yml", &requirements, Plain),
        ],
    )?;
    let error = world
        .fail(&playbook(site.url(), "site.yml"), "source_unavailable")
        .await?;
    ensure!(
        error.contains("could not be installed") && error.ends_with(&full),
        "{error}"
    );
    let told = world.service.log();
    ensure!(!told.contains("could not be cached"), "{told}");
    world.servers.galaxy().context("a server")?;
    Ok(())
}
