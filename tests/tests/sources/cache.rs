//! What is fetched once is not fetched again, by whoever may have it, and stays as it was.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use callboard_tests::servers::Mode::Plain;
use callboard_tests::{Part, program};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{World, allow_all, playbook, say, with};

#[tokio::test]
async fn a_commit_is_fetched_once_and_a_name_is_asked_for_each_time() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, name) = world.repository("site")?;
    let first = repository.commit("main", &[("site.yml", &say("first"), Plain)])?;
    let git = world.git()?;
    let source = playbook(repository.url(), "site.yml");
    let branch = with(&source, "branch", "main");
    let asked = || anyhow::Ok((git.listings(&name)?, git.fetches(&name)?));
    for expected in [(1, 1), (2, 1)] {
        world.succeed(&branch).await?;
        ensure!(asked()? == expected, "{:?}", git.requests(&name)?);
    }
    let requests = git.requests(&name)?;
    let fetch = requests
        .iter()
        .find(|request| request.command.as_deref() == Some("fetch"));
    ensure!(fetch.is_some_and(|fetch| fetch.depth == Some(1)), "{requests:?}");
    world.succeed(&with(&source, "branch", first.as_str())).await?;
    ensure!(
        git.requests(&name)?.len() == requests.len(),
        "a commit that is there was asked for"
    );
    let second = repository.commit("main", &[("site.yml", &say("second"), Plain)])?;
    let moved = world.succeed(&branch).await?;
    ensure!(
        moved.job["commit"] == second.as_str() && moved.log.contains("\"second\""),
        "{moved:?}"
    );
    ensure!(asked()? == (3, 2), "{:?}", git.requests(&name)?);
    Ok(())
}

#[tokio::test]
async fn a_commit_that_is_named_by_its_id_costs_one_fetch_and_nothing_else() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, name) = world.repository("site")?;
    let old = repository.commit("main", &[("site.yml", &say("old"), Plain)])?;
    repository.commit("main", &[("site.yml", &say("new"), Plain)])?;
    let source = with(&playbook(repository.url(), "site.yml"), "branch", old.as_str());
    let git = world.git()?;
    for _ in 0..2 {
        ensure!(world.succeed(&source).await?.log.contains("\"old\""));
        ensure!(
            (git.listings(&name)?, git.fetches(&name)?) == (0, 1),
            "{:?}",
            git.requests(&name)?
        );
    }
    Ok(())
}

#[tokio::test]
async fn jobs_that_want_the_same_commit_at_the_same_time_fetch_it_once() -> anyhow::Result<()> {
    let world = World::start_with(&[Part::Git], allow_all, |command| {
        command.args(["--workers", "6"]);
    })?;
    let (repository, name) = world.repository("site")?;
    repository.commit("main", &[("site.yml", &say("hello"), Plain)])?;
    let source = playbook(repository.url(), "site.yml");
    try_join_all([&source; 6].map(|source| world.succeed(source))).await?;
    let git = world.git()?;
    ensure!(
        (git.listings(&name)?, git.fetches(&name)?) == (6, 1),
        "{:?}",
        git.requests(&name)?
    );
    Ok(())
}

#[tokio::test]
async fn what_a_job_does_to_its_source_is_not_seen_by_the_next() -> anyhow::Result<()> {
    const SITE: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: \"found {{ lookup('file', 'word.txt') }} {{ lookup('fileglob', '*.new') | length }}\"}
    - ansible.builtin.copy: {content: \"spoilt\", dest: \"{{ playbook_dir }}/{{ item }}\"}
      loop: [site.yml, word.txt, one.new]
";
    let world = World::start(&[Part::Git])?;
    let (repository, name) = world.repository("site")?;
    repository.commit("main", &[("site.yml", SITE, Plain), ("word.txt", "whole", Plain)])?;
    for _ in 0..2 {
        let played = world.succeed(&playbook(repository.url(), "site.yml")).await?;
        ensure!(played.log.contains("\"found whole 0\""), "{}", played.log);
    }
    ensure!(world.git()?.fetches(&name)? == 1);
    Ok(())
}

#[tokio::test]
async fn a_private_commit_in_the_cache_is_given_to_its_own_credential_only() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (git, name) = (world.git()?, world.name("site"));
    let commit = git.publish_private(&name, &[("site.yml", &say("private"), Plain)])?;
    let repository = git.repository(callboard_tests::servers::Area::Private, &name)?;
    for (name, token) in [("right", git.token.as_str()), ("wrong", "a-token-that-is-wrong")] {
        let fields = json!({"name": name, "kind": "git", "username": git.user, "token": token});
        world.credential(&fields).await?;
    }
    let source = with(&playbook(repository.url(), "site.yml"), "branch", commit.as_str());
    let right = with(&source, "git_credential", "right");
    for _ in 0..2 {
        world.succeed(&right).await?;
    }
    ensure!(git.fetches(&name)? == 1, "{:?}", git.requests(&name)?);
    for source in [&source, &with(&source, "git_credential", "wrong")] {
        world.fail(source, "source_unavailable").await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_cut_off_in_the_cache_is_fetched_again() -> anyhow::Result<()> {
    const DEPLOY: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: \"to {{ target | default('production') }}\"}
";
    let world = World::start(&[Part::Git])?;
    let (repository, name) = world.repository("site")?;
    // a commit of its own, by which the archive is found in the cache that all tests share
    let files = [
        ("deploy.yml", DEPLOY, Plain),
        ("group_vars/all.yml", "target: staging\n", Plain),
        ("name", &name, Plain),
    ];
    let commit = repository.commit("main", &files)?;
    let source = playbook(repository.url(), "deploy.yml");
    let fetched = || world.git()?.fetches(&name);
    for (cut, fetches) in [(2048, 1), (0, 2), (u64::MAX, 3), (u64::MAX, 3)] {
        let played = world.succeed(&source).await?;
        ensure!(played.log.contains("\"to staging\""), "{cut}: {}", played.log);
        ensure!(fetched()? == fetches, "{cut}: {:?}", world.git()?.requests(&name)?);
        let archives = named(&program::cache()?.join("archives"), &format!("{commit}.tar"))?;
        ensure!(archives.len() == 1, "{archives:?}");
        let file = File::options().write(true).open(&archives[0])?;
        file.set_len(cut.min(file.metadata()?.len()))?;
    }
    Ok(())
}

/// Returns the files below a folder that have this name.
fn named(folder: &Path, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(named(&path, name)?);
        } else if path.ends_with(name) {
            found.push(path);
        }
    }
    Ok(found)
}
