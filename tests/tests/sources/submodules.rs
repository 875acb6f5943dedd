//! Submodules: left alone unless they are asked for.

use anyhow::ensure;
use callboard_tests::servers::{Area, Mode, Request, gitmodules};
use callboard_tests::{Part, Servers};
use serde_json::json;

use crate::{World, allow_all, host, playbook, with};

const SITE: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: \"found{{ lookup('pipe', 'cat far/word.txt near/word.txt near/inner/word.txt inner/word.txt || true') }}\"
";

#[tokio::test]
async fn submodules_are_fetched_where_they_are_asked_for_and_theirs_with_them() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let ((outer, _), (near, near_name)) = (world.repository("outer")?, world.repository("near")?);
    let ((far, far_name), (deep, deep_name)) = (world.repository("far")?, world.repository("deep")?);
    let deepest = deep.commit("main", &[("word.txt", " deep", Mode::Plain)])?;
    deep.commit("main", &[("word.txt", " later", Mode::Plain)])?;
    let modules = gitmodules("inner", &format!("./../{deep_name}.git"));
    let nearest = near.commit(
        "main",
        &[
            ("word.txt", " near", Mode::Plain),
            (".gitmodules", &modules, Mode::Plain),
            ("inner", &deepest, Mode::Submodule),
        ],
    )?;
    let farthest = far.commit("main", &[("word.txt", " far", Mode::Plain)])?;
    let modules = gitmodules("near", &format!("../{near_name}.git")) + &gitmodules("far", far.url());
    outer.commit(
        "main",
        &[
            ("site.yml", SITE, Mode::Plain),
            (".gitmodules", &modules, Mode::Plain),
            ("near", &nearest, Mode::Submodule),
            ("far", &farthest, Mode::Submodule),
        ],
    )?;
    let git = world.git()?;
    let inner = [&near_name, &far_name, &deep_name];
    let source = playbook(outer.url(), "site.yml");
    let played = world.succeed(&source).await?;
    ensure!(played.log.contains("\"found\""), "{}", played.log);
    for name in inner {
        ensure!(git.requests(name)?.is_empty(), "{name} was asked for");
    }
    for _ in 0..2 {
        let played = world.succeed(&with(&source, "submodules", true)).await?;
        ensure!(played.log.contains("\"found far near deep\""), "{}", played.log);
        for name in inner {
            ensure!(
                (git.listings(name)?, git.fetches(name)?) == (0, 1),
                "{:?}",
                git.requests(name)?
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_opens_private_submodules_too() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let git = world.git()?;
    let (outer_name, inner_name) = (world.name("outer"), world.name("inner"));
    let inner = git.publish_private(&inner_name, &[("word.txt", " inner", Mode::Plain)])?;
    let modules = gitmodules("inner", &format!("../{inner_name}.git"));
    git.publish_private(
        &outer_name,
        &[
            ("site.yml", SITE, Mode::Plain),
            (".gitmodules", &modules, Mode::Plain),
            ("inner", &inner, Mode::Submodule),
        ],
    )?;
    let fields = json!({"name": "reader", "kind": "git", "username": git.user, "token": git.token});
    world.credential(&fields).await?;
    let source = playbook(git.repository(Area::Private, &outer_name)?.url(), "site.yml");
    let source = with(&with(&source, "submodules", true), "git_credential", "reader");
    let played = world.succeed(&source).await?;
    ensure!(played.log.contains("\"found inner\""), "{}", played.log);
    Ok(())
}

#[tokio::test]
async fn a_submodule_on_another_host_gets_a_credential_only_if_it_names_that_host() -> anyhow::Result<()> {
    let both = |servers: &Servers| {
        let git = servers.git()?;
        Ok(json!({"git": [host(&git.url), host(&git.other_url)]}))
    };
    let world = World::start_with(&[Part::Git], both, |_| {})?;
    let (git, outer, inner) = (world.git()?, world.name("outer"), world.name("inner"));
    let commit = git.publish_private(&inner, &[("word.txt", " inner", Mode::Plain)])?;
    let modules = gitmodules("inner", &format!("{}/private/{inner}.git", git.other_url));
    let files = [
        ("site.yml", SITE, Mode::Plain),
        (".gitmodules", &modules, Mode::Plain),
        ("inner", &commit, Mode::Submodule),
    ];
    git.publish_private(&outer, &files)?;
    let hosts = [host(&git.url), host(&git.other_url)];
    for (name, hosts) in [("of-any", None), ("of-both", Some(hosts))] {
        let mut fields = json!({"name": name, "kind": "git", "username": git.user, "token": git.token});
        if let Some(hosts) = hosts {
            fields["hosts"] = json!(hosts);
        }
        world.credential(&fields).await?;
    }
    let source = playbook(git.repository(Area::Private, &outer)?.url(), "site.yml");
    let source = with(&source, "submodules", true);
    world
        .fail(&with(&source, "git_credential", "of-any"), "source_unavailable")
        .await?;
    let told = |request: &Request| request.server == "other" && request.authorised == Some(true);
    ensure!(
        !git.log.requests()?.iter().any(told),
        "the other host was told the token"
    );
    let played = world.succeed(&with(&source, "git_credential", "of-both")).await?;
    ensure!(played.log.contains("\"found inner\""), "{}", played.log);
    ensure!(git.log.requests()?.iter().any(told));
    Ok(())
}

#[tokio::test]
async fn a_submodule_from_where_nothing_may_be_fetched_is_named() -> anyhow::Result<()> {
    let world = World::start_with(&[Part::Git], allow_all, |_| {})?;
    let git = world.git()?;
    let other = format!("{}/public/x.git", git.other_url);
    let allow = format!("\"{}/public\" to \"git\" of the policy", host(&other));
    let absent = "0".repeat(40);
    for (name, path, url, told) in [
        ("other", "inner", other.as_str(), [other.as_str(), allow.as_str()]),
        (
            "ext",
            "inner",
            "ext::sh -c id",
            ["The submodule \"inner\"", "has an address that must"],
        ),
        (
            "dots",
            "inner",
            "../../public/%2e%2e/private/x.git",
            [
                "The submodule \"inner\"",
                "has an address that must name a repository by a path without",
            ],
        ),
        (
            "file",
            "inner",
            "file:///etc",
            ["The submodule \"inner\"", "has an address that must"],
        ),
        (
            "user",
            "inner",
            "https://user:hunter2@h/x",
            ["The submodule \"inner\"", "must not hold a user or a password"],
        ),
    ] {
        let (repository, _) = world.repository(name)?;
        repository.commit(
            "main",
            &[
                ("site.yml", SITE, Mode::Plain),
                (".gitmodules", &gitmodules(path, url), Mode::Plain),
                (path, &absent, Mode::Submodule),
            ],
        )?;
        let source = with(&playbook(repository.url(), "site.yml"), "submodules", true);
        let error = world.fail(&source, "source_unavailable").await?;
        ensure!(told.iter().all(|told| error.contains(told)), "{name}: {error}");
        ensure!(!error.contains("hunter2"), "{name}: {error}");
    }
    ensure!(
        git.log.requests()?.iter().all(|request| request.server != "other"),
        "the other server was asked"
    );
    Ok(())
}
