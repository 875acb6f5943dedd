//! Servers and repositories that make trouble: the job fails with a sentence, and nothing is left running.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use callboard_tests::servers::Mode::{Plain, Symlink};
use callboard_tests::{Part, Servers, processes, wait};
use serde_json::json;

use crate::{World, allow_all, host, playbook, say, with};

#[tokio::test]
async fn a_link_that_leads_out_of_the_repository_is_no_playbook() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let outside = world.servers.folder().join("outside");
    std::fs::create_dir(&outside)?;
    std::fs::write(outside.join("site.yml"), say("the outside"))?;
    let (folder, file) = (
        outside.display().to_string(),
        outside.join("site.yml").display().to_string(),
    );
    let (repository, _) = world.repository("site")?;
    repository.commit(
        "main",
        &[
            ("good.yml", &say("the inside"), Plain),
            ("absolute.yml", &file, Symlink),
            ("relative.yml", &format!("../../../..{file}"), Symlink),
            ("folder", &folder, Symlink),
            ("chain.yml", "absolute.yml", Symlink),
            ("loop.yml", "loop.yml", Symlink),
            ("inside.yml", "./folder/../good.yml", Symlink),
            ("linked.yml", "good.yml", Symlink),
            ("requirements.yml", &file, Symlink),
            ("roles/out", &folder, Symlink),
        ],
    )?;
    let linked = world.succeed(&playbook(repository.url(), "linked.yml")).await?;
    ensure!(linked.log.contains("the inside"), "{}", linked.log);
    for path in [
        "absolute.yml",
        "relative.yml",
        "folder/site.yml",
        "chain.yml",
        "loop.yml",
    ] {
        let error = world
            .fail(&playbook(repository.url(), path), "source_unavailable")
            .await?;
        ensure!(error.contains(&format!("has no file \"{path}\"")), "{error}");
    }
    for fields in [json!({"path": "folder"}), json!({"role": "out"})] {
        let mut source = json!({"type": "role", "repo": repository.url()});
        for (name, value) in fields.as_object().into_iter().flatten() {
            source = with(&source, name, value.clone());
        }
        let error = world.fail(&source, "source_unavailable").await?;
        ensure!(error.contains("has no "), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn servers_that_redirect_break_hang_or_are_not_there_are_told_apart() -> anyhow::Result<()> {
    let policy = |servers: &Servers| {
        let git = servers.git()?;
        Ok(json!({"git": [host(&git.url), host(&git.other_url), "127.0.0.1:1", "no-such-host.invalid"]}))
    };
    let world = World::start_with(&[Part::Git], policy, |command| {
        command.args(["--fetch-timeout", "2"]);
    })?;
    let (git, (_, name)) = (world.git()?, world.repository("site")?);
    git.publish(&name, &[("site.yml", &say("x"), Plain)])?;
    let url = &git.url;
    for (repo, told) in [
        (
            format!("{url}/redirect/public/{name}.git"),
            "the server redirects to another address; name that one.",
        ),
        (format!("{url}/broken/x.git"), "The requested URL returned error: 500."),
        (format!("{url}/slow/x.git"), "could not be fetched within 2 s."),
        (
            "https://127.0.0.1:1/x.git".to_owned(),
            "read: 127.0.0.1 cannot be reached: ",
        ),
        (
            "https://no-such-host.invalid/x.git".to_owned(),
            "read: no-such-host.invalid cannot be reached: ",
        ),
    ] {
        let error = world.fail(&playbook(&repo, "site.yml"), "source_unavailable").await?;
        ensure!(
            error.starts_with(&format!("The repository {repo} could not be ")) && error.contains(told),
            "{error}"
        );
    }
    let asked = git.log.requests()?;
    ensure!(
        asked.iter().all(|request| request.server == "main"),
        "a redirect was followed: {asked:?}"
    );
    no_git_lives(&world)?;
    let collected = || {
        processes::descendants(world.service.pid())
            .iter()
            .all(|process| !process.zombie)
    };
    wait::until("what git has left behind is collected", collected).await
}

#[tokio::test]
async fn a_repository_that_is_too_large_packed_or_unpacked_is_refused() -> anyhow::Result<()> {
    let world = World::start_with(&[Part::Git], allow_all, |command| {
        command.args(["--fetch-max-bytes", "300000"]);
    })?;
    let (small, _) = world.repository("small")?;
    small.commit(
        "main",
        &[("site.yml", &say("x"), Plain), ("some", &"x".repeat(100_000), Plain)],
    )?;
    world.succeed(&playbook(small.url(), "site.yml")).await?;
    let (packed, _) = world.repository("packed")?;
    packed.commit(
        "main",
        &[("site.yml", &say("x"), Plain), ("noise", &noise(1_000_000), Plain)],
    )?;
    let (unpacked, _) = world.repository("unpacked")?;
    unpacked.commit(
        "main",
        &[("site.yml", &say("x"), Plain), ("zeros", &"0".repeat(3_000_000), Plain)],
    )?;
    for repository in [&packed, &unpacked] {
        let url = repository.url();
        let error = world.fail(&playbook(url, "site.yml"), "source_unavailable").await?;
        ensure!(
            error == format!("The repository {url} is larger than the limit of 300000 bytes."),
            "{error}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_canceled_while_its_server_hangs_ends_at_once_and_leaves_no_git() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let repo = format!("{}/slow/{}.git", world.git()?.url, world.name("site"));
    let id = world
        .client
        .submit(&json!({"source": playbook(&repo, "site.yml")}))
        .await?;
    wait::until("git asks the server", || !processes::with_marker(&repo).is_empty()).await?;
    let log = &world.git()?.log;
    wait::until("the server is asked", || {
        log.text().is_ok_and(|text| text.contains("/slow/"))
    })
    .await?;
    world.client.delete(&format!("/api/v1/jobs/{id}")).await?;
    let job = tokio::time::timeout(Duration::from_secs(10), world.client.ended(&id)).await??;
    ensure!(
        job["status"] == "canceled" && job["reason"] == "canceled_by_request",
        "{job}"
    );
    ensure!(processes::with_marker(&repo).is_empty(), "git goes on");
    no_git_lives(&world)?;
    let work = Path::new("/var/tmp").join(format!("cb-{}", rustix::process::getuid().as_raw()));
    let left = std::fs::read_dir(work.join(world.service.pid().to_string()))?.count();
    ensure!(left == 1, "a job's folder is left beside the host's");
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_canceled_while_its_source_is_unpacked_leaves_nothing_of_it() -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let world = World::start_with(&[Part::Git], allow_all, |command| {
        command.arg("--work").arg(work.path());
    })?;
    let (repository, _) = world.repository("large")?;
    let large = "0".repeat(50_000_000);
    let names = ["a", "b", "c", "d", "e", "f"];
    let files = names.map(|name| (name, large.as_str(), Plain));
    // where unpacking is over before the cancel is seen, the job still runs
    let site = "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.command: sleep 120}]\n";
    repository.commit("main", &[&files[..], &[("site.yml", site, Plain)]].concat())?;
    let below = |folder: &Path| -> Vec<_> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let shared = work.path().join(format!("cb-{}", rustix::process::getuid().as_raw()));
    let own = shared.join(world.service.pid().to_string());
    let id = world
        .client
        .submit(&json!({"source": playbook(repository.url(), "site.yml")}))
        .await?;
    wait::until("the source is unpacked", || {
        below(&own).iter().any(|job| job.join("source/a").exists())
    })
    .await?;
    world.client.delete(&format!("/api/v1/jobs/{id}")).await?;
    let job = world.client.ended(&id).await?;
    ensure!(job["status"] == "canceled", "{job}");
    wait::until("all is removed", || {
        below(&shared.join("gone")).is_empty() && below(&own) == [own.join("host")]
    })
    .await
}

#[tokio::test]
async fn the_timeouts_of_a_job_count_while_its_source_is_fetched() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let source = playbook(&format!("{}/slow/x.git", world.git()?.url), "site.yml");
    for timeout in ["timeout", "idle_timeout"] {
        let job = world
            .play(&json!({"source": source, "options": {timeout: 1}}))
            .await?
            .job;
        ensure!(job["status"] == "failed" && job["reason"] == timeout, "{job}");
    }
    no_git_lives(&world)
}

/// Text that cannot be packed.
fn noise(bytes: usize) -> String {
    let mut state: u64 = 1;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 40) % 90).unwrap_or_default())
    };
    (0..bytes).map(|_| next()).collect()
}

fn no_git_lives(world: &World) -> anyhow::Result<()> {
    for process in processes::descendants(world.service.pid()) {
        let line = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        ensure!(!line.contains("git"), "{line} is left");
    }
    Ok(())
}
