//! Roles of collections from a Galaxy server.

use anyhow::ensure;
use callboard_tests::Part;
use serde_json::{Value, json};

use crate::private::search;
use crate::spy::Spy;
use crate::{World, allow_all, with};

#[tokio::test]
async fn a_role_runs_from_the_version_that_fits_best_with_what_its_collection_needs() -> anyhow::Result<()> {
    let world = World::start(&[Part::Galaxy])?;
    let galaxy = world.servers.galaxy()?;
    let base = role("base", "greet", &galaxy.url);
    let web = role("web", "site", &galaxy.url);
    let hello = json!({"greeting": "{{ 1 + 1 }}"});
    for (source, told) in [
        (with(&base, "version", "1.0.0"), "Hello from base 1.0.0"),
        (with(&base, "version", "==1.1.0"), "Hello from base 1.1.0"),
        (with(&base, "version", ">=1.0.0,<2.0.0"), "Hello from base 1.1.0"),
        (with(&base, "version", "!=2.0.0"), "Hello from base 1.1.0"),
        (with(&base, "version", "*"), "Hello from base 2.0.0"),
        (base.clone(), "Hello from base 2.0.0"),
        (with(&base, "role_vars", hello), "{{ 1 + 1 }} from base 2.0.0"),
        (web.clone(), "Hello from base 1.1.0"),
        (web, "site of web 1.2.0"),
    ] {
        let played = world.succeed(&source).await?;
        ensure!(
            played.log.contains(&format!("\"msg\": \"{told}\"")),
            "{source}: {}",
            played.log
        );
        ensure!(played.job["commit"].is_null(), "{}", played.job);
    }
    let list = world.client.get("/api/v1/jobs").await?.body;
    ensure!(list["jobs"][0]["playbook"] == "callboard_test.web.site", "{list}");
    Ok(())
}

#[tokio::test]
async fn what_is_installed_is_not_downloaded_again() -> anyhow::Result<()> {
    let world = World::start(&[Part::Galaxy])?;
    let galaxy = world.servers.galaxy()?;
    // no other run of the tests has asked for this range
    let version = format!(">=1.0.0,<2.0.0,!=0.0.{}", std::process::id());
    let web = with(&role("web", "site", &galaxy.url), "version", version.as_str());
    let mut asked = 0;
    for run in 0..2 {
        world.succeed(&web).await?;
        let downloads = (galaxy.downloads("web", "1.2.0")?, galaxy.downloads("base", "1.1.0")?);
        ensure!(downloads == (1, 1), "{downloads:?} after run {run}");
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
async fn a_private_server_is_asked_with_its_token_which_is_told_to_nobody_else() -> anyhow::Result<()> {
    let spy = Spy::new(&["git"])?;
    let world = World::start_with(&[Part::Galaxy], allow_all, |command| spy.watch(command))?;
    let galaxy = world.servers.galaxy()?;
    let wrong = "a-token-that-is-wrong";
    for (name, token) in [("right", galaxy.token.as_str()), ("wrong", wrong)] {
        world
            .credential(&json!({"name": name, "kind": "galaxy", "token": token}))
            .await?;
    }
    let elsewhere =
        json!({"name": "elsewhere", "kind": "galaxy", "token": galaxy.token, "hosts": ["galaxy.example.com"]});
    world.credential(&elsewhere).await?;
    let source = with(&role("base", "greet", &galaxy.private_url), "version", "1.0.0");
    let played = world.succeed(&with(&source, "galaxy_credential", "right")).await?;
    ensure!(played.log.contains("Hello from base 1.0.0"), "{}", played.log);
    let mut told = format!("{} {} {}", played.job, played.log, world.service.log());
    for source in [source.clone(), with(&source, "galaxy_credential", "wrong")] {
        let error = world.fail(&source, "source_unavailable").await?;
        ensure!(
            error.starts_with("The collection callboard_test.base:1.0.0 could not be installed: "),
            "{error}"
        );
        ensure!(error.contains("401"), "{error}");
        told += &error;
    }
    let asked = galaxy.log.requests()?.len();
    let error = world
        .fail(
            &with(&source, "galaxy_credential", "elsewhere"),
            "credential_unavailable",
        )
        .await?;
    ensure!(error.contains("it is for galaxy.example.com."), "{error}");
    ensure!(galaxy.log.requests()?.len() == asked, "the server was asked");
    for token in [galaxy.token.as_str(), wrong] {
        ensure!(!told.contains(token), "a token is told: {told}");
        search(world.data.path(), token)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_collection_a_version_or_a_role_that_is_not_there_is_named() -> anyhow::Result<()> {
    let world = World::start(&[Part::Galaxy])?;
    let url = &world.servers.galaxy()?.url;
    let base = role("base", "greet", url);
    for (source, told) in [
        (
            with(&base, "version", "9.9.9"),
            [
                "The collection callboard_test.base:9.9.9 could not be installed: ",
                "callboard_test.base",
            ],
        ),
        (
            with(&base, "version", ">=9"),
            [
                "The collection callboard_test.base:>=9 could not be installed: ",
                "callboard_test.base:>=9",
            ],
        ),
        (
            role("none", "greet", url),
            [
                "The collection callboard_test.none:* could not be installed: ",
                "callboard_test.none",
            ],
        ),
        (
            role("base", "apache", url),
            [
                "The collection callboard_test.base has no role \"apache\"; it has: greet.",
                "",
            ],
        ),
        (
            json!({"type": "role", "role": "callboard_test.base.greet"}),
            [
                "The collection callboard_test.base is not installed where jobs run.",
                "",
            ],
        ),
    ] {
        let error = world.fail(&source, "source_unavailable").await?;
        ensure!(
            error.starts_with(told[0]) && error[told[0].len()..].contains(told[1]),
            "{told:?}: {error}"
        );
        ensure!(
            !error.contains('\n') && !error.contains("RequirementInformation"),
            "{error}"
        );
    }
    Ok(())
}

fn role(collection: &str, role: &str, server: &str) -> Value {
    let collection = format!("callboard_test.{collection}");
    json!({"type": "collection_role", "collection": collection, "role": role, "galaxy_server": server})
}
