//! Repositories that only some may read: with a token over https.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use callboard_tests::Part;
use callboard_tests::client::Answer;
use callboard_tests::servers::{Area, Mode::Plain};
use serde_json::{Value, json};

use crate::spy::Spy;
use crate::{World, allow_all, host, playbook, say, with};

const WRONG: &str = "a-token-that-is-wrong";

#[tokio::test]
async fn a_private_repository_is_read_with_its_token_which_is_told_to_nobody_else() -> anyhow::Result<()> {
    let spy = Spy::new(&["git"])?;
    let world = World::start_with(&[Part::Git], allow_all, |command| spy.watch(command))?;
    let (git, name) = (world.git()?, world.name("site"));
    git.publish_private(&name, &[("site.yml", &say("private"), Plain)])?;
    let repository = git.repository(Area::Private, &name)?;
    let source = playbook(repository.url(), "site.yml");
    let git_user = json!({"kind": "git", "username": git.user});
    let fields = with(&with(&git_user, "name", "right"), "token", git.token.as_str());
    world.credential(&fields).await?;
    world
        .credential(&with(&with(&git_user, "name", "wrong"), "token", WRONG))
        .await?;

    let right = with(&source, "git_credential", "right");
    let played = world.succeed(&right).await?;
    ensure!(played.log.contains("\"private\""), "{}", played.log);
    let asked = git.requests(&name)?;
    ensure!(
        asked.iter().any(|request| request.authorised == Some(true)),
        "{asked:?}"
    );

    let url = repository.url();
    let error = world.fail(&source, "source_unavailable").await?;
    let told = "could not be read: the server asks for a login; name a git_credential.";
    ensure!(error == format!("The repository {url} {told}"), "{error}");
    let error = world
        .fail(&with(&source, "git_credential", "wrong"), "source_unavailable")
        .await?;
    let told = "could not be read: the server does not accept the git_credential.";
    ensure!(error == format!("The repository {url} {told}"), "{error}");

    let calls = spy.calls()?;
    ensure!(calls.contains("ls-remote") && calls.contains("fetch"), "{calls}");
    let list = world.client.get("/api/v1/jobs").await?.body;
    let events = world.client.events(&played.id).await?;
    let told = format!(
        "{} {} {events:?} {list} {} {calls}",
        played.job,
        played.log,
        world.service.log()
    );
    for token in [git.token.as_str(), WRONG] {
        ensure!(!told.contains(token), "a token is told: {told}");
        search(world.data.path(), token)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_that_cannot_be_for_a_repository_is_refused_with_what_is_wrong() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (git, name) = (world.git()?, world.name("site"));
    git.publish_private(&name, &[("site.yml", &say("private"), Plain)])?;
    let repository = git.repository(Area::Private, &name)?;
    let elsewhere = json!({"name": "elsewhere", "kind": "git", "token": git.token, "hosts": ["git.example.com"]});
    let bound =
        json!({"name": "bound", "kind": "git", "username": git.user, "token": git.token, "hosts": [host(&git.url)]});
    let password = json!({"name": "password", "kind": "password", "password": "a-password-of-somebody"});
    for fields in [&elsewhere, &bound, &password] {
        world.credential(fields).await?;
    }
    let source = playbook(repository.url(), "site.yml");
    world.succeed(&with(&source, "git_credential", "bound")).await?;
    let before = git.requests(&name)?.len();
    for (name, told) in [
        ("password", "of kind password; here one of kind git"),
        ("absent", "\"absent\""),
    ] {
        let answer = submit(&world, &with(&source, "git_credential", name)).await?;
        let fault = &answer.body["errors"][0];
        ensure!(
            answer.status == 422 && fault["pointer"] == "/source/git_credential",
            "{answer:?}"
        );
        ensure!(fault["detail"].as_str().context("a detail")?.contains(told), "{fault}");
    }
    let error = world
        .fail(&with(&source, "git_credential", "elsewhere"), "credential_unavailable")
        .await?;
    let told = format!("may not be used for the host {}.", host(&git.url));
    ensure!(error.contains(&told), "{error}");
    ensure!(git.requests(&name)?.len() == before, "the server was asked");
    Ok(())
}

async fn submit(world: &World, source: &Value) -> anyhow::Result<Answer> {
    let body = json!({ "source": source }).to_string();
    world.client.post("/api/v1/jobs", body).await
}

/// Looks for a secret in every file.
pub(crate) fn search(folder: &Path, secret: &str) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search(&path, secret)?;
        } else {
            let content = fs::read(&path)?;
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            ensure!(!found, "the secret is in {}", path.display());
        }
    }
    Ok(())
}
