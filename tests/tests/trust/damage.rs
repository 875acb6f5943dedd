//! A damaged record or manifest: it is shown as damaged and named by `callboard verify`, and everything else works.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use callboard_tests::client::names;
use callboard_tests::data::damage;
use callboard_tests::{Client, Finished, Service, callboard};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;

use crate::run;

#[tokio::test]
async fn what_is_damaged_is_shown_as_damaged_and_the_rest_works() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let [sealed, recorded, requested, sound] = [
        run(&client).await?,
        run(&client).await?,
        run(&client).await?,
        run(&client).await?,
    ];
    let manifest = data.path().join("logs").join(&sealed).join("1/manifest.json");
    fs::write(&manifest, "{\"stdout_by")?;
    damage(
        data.path(),
        "UPDATE jobs SET state = '{\"status\": \"no' WHERE id = ?1",
        recorded.parse()?,
    )?;
    damage(
        data.path(),
        "UPDATE jobs SET request = '[]' WHERE id = ?1",
        requested.parse()?,
    )?;

    let job = client.job(&sealed).await?;
    let log = &job["result"]["log"];
    ensure!(job["status"] == "successful" && log["complete"] == false, "{job}");
    ensure!(
        log["damaged"].as_str().is_some_and(|told| told.contains(&sealed)),
        "{job}"
    );
    ensure!(
        job["result"]["stdout"]
            .as_str()
            .is_some_and(|text| text.contains("PLAY")),
        "{job}"
    );
    for id in [&recorded, &requested] {
        for path in ["", "/logs", "/events"] {
            let answer = client.get(&format!("/api/v1/jobs/{id}{path}")).await?;
            let told = answer.body["detail"]
                .as_str()
                .is_some_and(|told| told.contains(&format!("`callboard verify {id}`")));
            ensure!(answer.status == 500 && told, "{answer:?}");
            ensure!(answer.body["type"] == "urn:callboard:problem:damaged", "{answer:?}");
        }
    }
    let canceled = client.delete(&format!("/api/v1/jobs/{recorded}")).await?;
    ensure!(canceled.body["type"] == "urn:callboard:problem:damaged", "{canceled:?}");

    let list = client.get("/api/v1/jobs").await?.body;
    let listed: Vec<&str> = list["jobs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|job| job["job_id"].as_str())
        .collect();
    ensure!(
        listed == [&sound, &requested, &sealed] && list["damaged"] == json!([recorded]),
        "{list}"
    );
    ensure!(pages(&client).await? == [&*sound, &*requested, "damaged", &*sealed]);
    ensure!(client.get("/health/ready").await?.status == 200);
    ensure!(client.run(&json!({"playbook": "hello.yml"})).await?["status"] == "successful");
    ensure!(
        service.log().matches("the record of a job is damaged").count() == 1,
        "{}",
        service.log()
    );

    for (id, told) in [
        (&sealed, "attempt 1: manifest.json is damaged: "),
        (&recorded, "its record in callboard.db is damaged: "),
        (&requested, "its record in callboard.db is damaged: "),
    ] {
        let found = verify(data.path(), id)?;
        ensure!(found.code == 2 && found.stdout.contains(told), "{found:?}");
    }
    ensure!(verify(data.path(), &recorded)?.stdout.contains("attempt 1: complete"));
    let listed = Finished::from(callboard(data.path())?.arg("list").output()?);
    let told = format!("`callboard verify {recorded}`");
    ensure!(
        listed.code == 0 && listed.stdout.contains(&sound) && listed.stderr.contains(&told),
        "{listed:?}"
    );
    Ok(())
}

/// A job that waits, one that runs, and a message: each damaged, while the service is away.
#[tokio::test]
async fn what_is_damaged_keeps_no_other_job_from_running() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut service = Service::start_in(data.path(), &["--workers", "1", "--shutdown-grace", "0"])?;
    let client = service.client();
    let [damaged, running] = [run(&client).await?, run(&client).await?];
    service.signal(Signal::TERM)?;
    service.wait()?;
    let waits = "UPDATE jobs SET status = 'pending', due = 1, state = 'x' WHERE id = ?1";
    damage(data.path(), waits, damaged.parse()?)?;
    damage(
        data.path(),
        "UPDATE jobs SET status = 'running', state = '{}' WHERE id = ?1",
        running.parse()?,
    )?;
    damage(
        data.path(),
        "INSERT INTO messages (job_id, visible_at) VALUES (x'00', length(?1))",
        damaged.parse()?,
    )?;

    let service = Service::start_in(data.path(), &["--workers", "1"])?;
    for _ in 0..3 {
        ensure!(service.client().run(&json!({"playbook": "hello.yml"})).await?["status"] == "successful");
    }
    let log = service.log();
    ensure!(log.matches("a message of the queue is damaged").count() == 1, "{log}");
    ensure!(log.matches("the record of a job is damaged").count() == 2, "{log}");
    Ok(())
}

#[tokio::test]
async fn a_service_that_was_stopped_leaves_its_database_in_one_file() -> anyhow::Result<()> {
    let (mut service, data) = Service::start(&[])?;
    run(&service.client()).await?;
    service.signal(Signal::TERM)?;
    ensure!(service.wait()?.success());
    let names: Vec<_> = fs::read_dir(data.path())?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<std::io::Result<_>>()?;
    ensure!(
        names
            .iter()
            .all(|name| name != "callboard.db-wal" && name != "callboard.db-shm"),
        "{names:?}"
    );
    let copy = tempfile::tempdir()?;
    fs::copy(data.path().join("callboard.db"), copy.path().join("callboard.db"))?;
    let listed = Finished::from(callboard(copy.path())?.args(["list", "--json"]).output()?);
    ensure!(listed.stdout.contains("successful"), "{listed:?}");
    Ok(())
}

/// Follows the list by pages of one.
async fn pages(client: &Client) -> anyhow::Result<Vec<String>> {
    let (mut found, mut path) = (Vec::new(), "/api/v1/jobs?limit=1".to_owned());
    loop {
        let page = client.get(&path).await?.body;
        let id = page["jobs"][0]["job_id"].as_str();
        ensure!(id.is_some() != names(&page).contains(&"damaged"), "{page}");
        found.push(id.unwrap_or("damaged").to_owned());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/jobs?limit=1&cursor={cursor}"),
            None => return Ok(found),
        }
    }
}

fn verify(data: &Path, job: &str) -> anyhow::Result<Finished> {
    Ok(Finished::from(callboard(data)?.args(["verify", job]).output()?))
}

#[tokio::test]
async fn output_of_which_a_part_is_gone_is_not_shown_as_the_whole() -> anyhow::Result<()> {
    let (service, data) = Service::start(&[])?;
    let client = service.client();
    let [cut, eventless, unindexed] = [run(&client).await?, run(&client).await?, run(&client).await?];
    let folder = |id: &str| data.path().join("logs").join(id).join("1");
    let whole = fs::read(folder(&cut).join("stdout"))?;
    fs::write(folder(&cut).join("stdout"), &whole[..10])?;
    fs::remove_file(folder(&eventless).join("events.jsonl"))?;
    fs::remove_file(folder(&unindexed).join("events.index"))?;

    let log = &client.job(&cut).await?["result"]["log"];
    let told = format!("10 of {} bytes of output are left", whole.len());
    let names = log["damaged"].as_str().is_some_and(|damaged| damaged.contains(&told));
    ensure!(log["complete"] == false && names, "{log}");
    for path in [
        format!("{cut}/logs"),
        format!("{cut}/logs?follow=true"),
        format!("{eventless}/events"),
        format!("{unindexed}/events"),
    ] {
        let answer = client.get(&format!("/api/v1/jobs/{path}")).await?;
        ensure!(
            answer.body["type"] == "urn:callboard:problem:damaged",
            "{path}: {answer:?}"
        );
    }
    let left = client.request(Method::GET, &format!("/api/v1/jobs/{cut}/logs"));
    let left = left.header("range", "bytes=0-").send().await?;
    ensure!(left.status() == 206 && left.bytes().await? == whole[..10]);
    let printed = Finished::from(callboard(data.path())?.args(["logs", &cut]).output()?);
    ensure!(
        printed.code == 1 && printed.stdout.as_bytes() == &whole[..10],
        "{printed:?}"
    );
    ensure!(printed.stderr.contains(&told), "{printed:?}");
    Ok(())
}
