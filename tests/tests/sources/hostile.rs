//! Values that could be an option, a command, a file or another's secret are refused before anything is queued or asked.

use anyhow::{Context, ensure};
use callboard_tests::{Part, Servers};
use reqwest::StatusCode;
use serde_json::json;

use crate::hostile_values::{collections, references, repositories};
use crate::{World, host, playbook};

#[tokio::test]
async fn a_hostile_value_is_refused_at_its_place_and_no_server_hears_of_it() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git, Part::Galaxy])?;
    let cases = [repositories(&world)?, references(&world)?, collections(&world)?].concat();
    for (source, pointer) in cases {
        let answer = world
            .client
            .post("/api/v1/jobs", json!({ "source": source }).to_string())
            .await?;
        ensure!(
            answer.status == StatusCode::UNPROCESSABLE_ENTITY,
            "{source}: {answer:?}"
        );
        let errors = answer.body["errors"].as_array().context("faults")?;
        ensure!(
            errors.len() == 1 && errors[0]["pointer"] == pointer,
            "{source}: {}",
            answer.body
        );
        ensure!(!answer.body.to_string().contains("hunter2"), "{}", answer.body);
    }
    ensure!(world.client.get("/api/v1/jobs").await?.body["total"] == 0);
    ensure!(world.git()?.log.text()?.is_empty() && world.servers.galaxy()?.log.text()?.is_empty());
    ensure!(!world.service.log().contains("hunter2"), "{}", world.service.log());
    Ok(())
}

#[tokio::test]
async fn what_the_policy_does_not_list_is_refused_with_how_to_allow_it() -> anyhow::Result<()> {
    let policy = |servers: &Servers| Ok(json!({"git": [format!("{}/private", host(&servers.git()?.url))]}));
    let world = World::start_with(&[Part::Git, Part::Galaxy], policy, |_| {})?;
    let (git, galaxy) = (&world.git()?.url, &world.servers.galaxy()?.url);
    let role = json!({"type": "collection_role", "collection": "a.b", "role": "c", "galaxy_server": galaxy});
    let allow = |what: &str, list: &str| format!("allows it by adding {what:?} to {list:?} of the policy");
    for (source, pointer, told) in [
        (
            playbook(&format!("{git}/public/x.git"), "x.yml"),
            "/source/repo",
            allow(&format!("{}/public", host(git)), "git"),
        ),
        (
            playbook(&format!("{git}/private-x/x.git"), "x.yml"),
            "/source/repo",
            allow(&format!("{}/private-x", host(git)), "git"),
        ),
        (
            playbook("git@github.com:acme/site.git", "x.yml"),
            "/source/repo",
            allow("github.com/acme", "git"),
        ),
        (role, "/source/galaxy_server", allow(galaxy, "galaxy_servers")),
    ] {
        let answer = world
            .client
            .post("/api/v1/jobs", json!({ "source": source }).to_string())
            .await?;
        let fault = &answer.body["errors"][0];
        ensure!(
            answer.status == 422 && fault["pointer"] == pointer,
            "{source}: {answer:?}"
        );
        ensure!(
            fault["detail"].as_str().is_some_and(|detail| detail.contains(&told)),
            "{told}: {fault}"
        );
    }
    ensure!(world.git()?.log.text()?.is_empty() && world.servers.galaxy()?.log.text()?.is_empty());
    Ok(())
}
