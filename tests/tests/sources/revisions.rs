//! Which commit runs.

use std::process::Command;

use anyhow::ensure;
use callboard_tests::Part;
use callboard_tests::servers::{Area, Mode::Plain};
use serde_json::json;

use crate::{World, playbook, say, with};

#[tokio::test]
async fn a_branch_a_tag_or_a_commit_says_what_runs_and_the_record_names_the_commit() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("site")?;
    let commit = |branch: &str, word: &str| repository.commit(branch, &[("site.yml", &say(word), Plain)]);
    let first = commit("main", "first")?;
    let second = commit("main", "second")?;
    let third = commit("feature/x-1", "third")?;
    repository.tag("v1", &first)?;
    repository.lightweight_tag("light", &first)?;
    repository.tag("both", &first)?;
    repository.branch("both", &second)?;
    let source = playbook(repository.url(), "site.yml");
    for (branch, word, expected) in [
        (None, "second", &second),
        (Some("main"), "second", &second),
        (Some("feature/x-1"), "third", &third),
        (Some("v1"), "first", &first),
        (Some("light"), "first", &first),
        (Some("both"), "second", &second),
        (Some(first.as_str()), "first", &first),
    ] {
        let played = world.succeed(&with(&source, "branch", branch)).await?;
        ensure!(
            played.log.contains(&format!("\"msg\": \"{word}\"")),
            "{branch:?}: {}",
            played.log
        );
        ensure!(played.job["commit"] == expected.as_str(), "{branch:?}: {}", played.job);
    }
    repository.set_default_branch("feature/x-1")?;
    ensure!(world.succeed(&source).await?.job["commit"] == third.as_str());
    Ok(())
}

#[tokio::test]
async fn the_commit_is_in_the_record_while_the_job_runs() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("site")?;
    let wait = std::fs::read_to_string(callboard_tests::playbooks().join("wait_for_file.yml"))?;
    let commit = repository.commit("main", &[("site.yml", &wait, Plain)])?;
    let go = world.servers.folder().join("go");
    let request = json!({"source": playbook(repository.url(), "site.yml"), "extra_vars": {"file": go}});
    let id = world.client.submit(&request).await?;
    let running = world.client.until(&id, |job| !job["commit"].is_null()).await?;
    ensure!(
        running["status"] == "running" && running["commit"] == commit.as_str(),
        "{running}"
    );
    std::fs::write(&go, "")?;
    let ended = world.client.ended(&id).await?;
    ensure!(
        ended["status"] == "successful" && ended["commit"] == commit.as_str(),
        "{ended}"
    );
    let list = world.client.get("/api/v1/jobs").await?.body;
    ensure!(list["jobs"][0]["playbook"] == "site.yml", "{list}");
    Ok(())
}

#[tokio::test]
async fn a_revision_or_a_path_that_is_not_there_is_named() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("site")?;
    let (empty, _) = world.repository("empty")?;
    let commit = repository.commit("main", &[("site.yml", &say("x"), Plain), ("folder/x", "", Plain)])?;
    let (url, absent) = (repository.url(), "0".repeat(40));
    let source = playbook(url, "site.yml");
    for (source, told) in [
        (
            with(&source, "branch", "no/such"),
            format!("The repository {url} has no branch or tag \"no/such\""),
        ),
        (
            with(&source, "branch", &commit[..12]),
            "a commit needs its whole id.".to_owned(),
        ),
        (with(&source, "branch", absent.as_str()), absent.clone()),
        (
            playbook(url, "no.yml"),
            format!("The repository {url} has no file \"no.yml\" at commit {commit}."),
        ),
        (
            playbook(url, "folder"),
            format!("The repository {url} has no file \"folder\" at commit {commit}."),
        ),
        (
            playbook(empty.url(), "site.yml"),
            format!("The repository {} is empty.", empty.url()),
        ),
        (
            playbook(&format!("{url}x"), "site.yml"),
            format!("The repository {url}x could not be read: "),
        ),
    ] {
        let error = world.fail(&source, "source_unavailable").await?;
        ensure!(error.contains(&told), "{told:?}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn an_old_server_gives_what_is_at_the_tip_of_a_name() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let name = world.name("site");
    let repository = world.git()?.repository(Area::Strict, &name)?;
    let first = repository.commit("main", &[("site.yml", &say("first"), Plain)])?;
    repository.tag("v1", &first)?;
    let second = repository.commit("main", &[("site.yml", &say("second"), Plain)])?;
    let third = repository.commit("main", &[("site.yml", &say("third"), Plain)])?;
    let source = playbook(repository.url(), "site.yml");
    for (branch, commit) in [(None, &third), (Some("v1"), &first), (Some(third.as_str()), &third)] {
        let played = world.succeed(&with(&source, "branch", branch)).await?;
        ensure!(played.job["commit"] == commit.as_str(), "{branch:?}: {}", played.job);
    }
    let error = world
        .fail(&with(&source, "branch", second.as_str()), "source_unavailable")
        .await?;
    ensure!(error.contains(repository.url()) && error.contains(&second), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_repository_may_be_hashed_with_sha_256() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (beside, name) = (world.repository("beside")?.0, world.name("long"));
    let mut init = Command::new("git");
    init.args([
        "init",
        "--quiet",
        "--bare",
        "--object-format=sha256",
        "--initial-branch=main",
    ]);
    ensure!(
        init.arg(beside.path().with_file_name(format!("{name}.git")))
            .status()?
            .success()
    );
    let commit = world.git()?.publish(&name, &[("site.yml", &say("long"), Plain)])?;
    let (repository, _) = world.repository("long")?;
    let source = playbook(repository.url(), "site.yml");
    for source in [&source, &with(&source, "branch", commit.as_str())] {
        let played = world.succeed(source).await?;
        ensure!(
            played.job["commit"] == commit.as_str() && commit.len() == 64,
            "{}",
            played.job
        );
    }
    ensure!(world.git()?.fetches(&name)? == 1);
    Ok(())
}
