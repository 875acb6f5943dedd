//! Engines that are not there, that give less than was asked for, or that have containers of jobs that nobody runs any more.

use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, ensure};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use serde_json::{Value, json};
use tokio::net::UnixListener;

use crate::world::{IMAGE, PLAIN, World, request, script};

#[tokio::test]
async fn an_engine_that_is_not_there_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let address = format!("unix://{}", folder.path().join("none.sock").display());
    for address in [address.as_str(), "tcp://127.0.0.1:1"] {
        let world = World::at(address).await?;
        let result = world.call(PLAIN, &script("true"), json!({})).await?.result()?;
        ensure!(result["reason"] == "runner_error", "{result}");
        ensure!(
            result["error"].as_str().is_some_and(|error| error.contains(address)),
            "{result}"
        );
        world.runner.tidy().await;
    }
    Ok(())
}

#[tokio::test]
async fn what_no_container_can_give_is_refused_and_the_record_says_so() -> anyhow::Result<()> {
    let world = World::new().await?;
    let service = "security_policy: {isolation: [landlock, namespaces, cgroup]}";
    let run = world.call(service, &script("echo it ran"), json!({})).await?;
    let result = run.result()?;
    ensure!(
        result["reason"] == "isolation_unavailable" && run.stdout.is_empty(),
        "{result}"
    );
    ensure!(
        result["error"]
            .as_str()
            .is_some_and(|error| error.contains("did not apply landlock,")),
        "{result}"
    );
    world.until_there_are(0).await
}

/// An engine that makes containers, but not as it was asked to.
#[derive(Clone, Default)]
struct Weak {
    /// What it says of the container that it has made.
    changed: Arc<Vec<(&'static str, Value)>>,
    made: Arc<Mutex<Value>>,
    asked: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(weak): State<Weak>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let path = parts.uri.path().to_owned();
    if let Ok(mut asked) = weak.asked.lock() {
        asked.push(format!("{} {path}", parts.method));
    }
    let Ok(mut made) = weak.made.lock() else {
        return Json(json!({})).into_response();
    };
    if path.ends_with("/containers/create") {
        let mut config: Value = serde_json::from_slice(&body).unwrap_or_default();
        let host = config["HostConfig"].take();
        *made = json!({"Id": "c", "Config": config, "HostConfig": host, "Mounts": []});
        for (pointer, value) in weak.changed.iter() {
            if let Some(place) = made.pointer_mut(pointer) {
                *place = value.clone();
            }
        }
        return Json(json!({"Id": "c", "Warnings": []})).into_response();
    }
    let shown = match path.rsplit('/').nth(1).unwrap_or_default() {
        _ if path.ends_with("/version") => json!({"ApiVersion": "1.41"}),
        _ if path.ends_with("/info") => json!({}),
        _ if path.contains("/images/") => json!({"Id": "sha256:1"}),
        _ => made.clone(),
    };
    Json(shown).into_response()
}

#[tokio::test]
async fn a_container_that_lacks_what_was_asked_for_is_removed_and_never_started() -> anyhow::Result<()> {
    let limits = "security_policy: {resource_limits: {cpu_seconds: 5}}";
    let operation = script("true").replace("runner_config: {", "runner_config: {\"cpu_millis\": 500, ");
    for (pointer, value, word) in [
        ("/HostConfig/CapDrop", json!(["CHOWN"]), "no_capabilities"),
        ("/HostConfig/CapDrop", json!(null), "no_capabilities"),
        ("/HostConfig/Privileged", json!(true), "no_capabilities"),
        (
            "/HostConfig/SecurityOpt",
            json!(["no-new-privileges:false"]),
            "no_new_privileges",
        ),
        ("/HostConfig/ReadonlyRootfs", json!(false), "read_only"),
        ("/Config/User", json!(""), "non_root"),
        ("/HostConfig/NetworkMode", json!("bridge"), "no_network"),
        ("/HostConfig/IpcMode", json!("host"), "namespaces"),
        ("/HostConfig/Memory", json!(0), "memory"),
        ("/HostConfig/MemorySwap", json!(-1), "memory"),
        ("/HostConfig/PidsLimit", json!(null), "processes"),
        ("/HostConfig/NanoCpus", json!(0), "cpus"),
        ("/HostConfig/Ulimits", json!([]), "cpu_seconds"),
        (
            "/Mounts",
            json!([{"Type": "volume", "Destination": "/data"}]),
            "no_host_files",
        ),
        (
            "/Mounts",
            json!([{"Type": "bind", "Destination": "/data"}]),
            "no_host_files",
        ),
        ("/HostConfig", json!({}), "memory"),
    ] {
        let weak = Weak {
            changed: Arc::new(vec![(pointer, value)]),
            ..Weak::default()
        };
        let folder = tempfile::tempdir()?;
        let address = serve(&folder.path().join("engine.sock"), &weak)?;
        let result = World::at(&address)
            .await?
            .call(limits, &operation, json!({}))
            .await?
            .result()?;
        ensure!(result["reason"] == "isolation_unavailable", "{pointer}: {result}");
        ensure!(
            result["error"].as_str().is_some_and(|error| error.contains(word)),
            "{pointer}: {result}"
        );
        ensure!(
            !result["isolation"].to_string().contains(&format!("\"{word}\"")),
            "{pointer}: {result}"
        );
        let asked = weak.asked.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.join("\n");
        ensure!(
            asked.contains("DELETE ") && !asked.contains("/start"),
            "{pointer}: {asked}"
        );
    }
    Ok(())
}

fn serve(socket: &Path, weak: &Weak) -> anyhow::Result<String> {
    let router = Router::new().fallback(answer).with_state(weak.clone());
    let listener = UnixListener::bind(socket)?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("unix://{}", socket.display()))
}

#[tokio::test]
async fn a_job_that_nobody_waits_for_any_more_leaves_no_container() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    let running = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.call(PLAIN, &script("sleep 600"), json!({})).await }
    });
    world.until_there_are(1).await?;
    running.abort();
    world.until_there_are(0).await
}

#[tokio::test]
async fn containers_of_lost_jobs_are_removed_and_no_others() -> anyhow::Result<()> {
    let (world, other) = (World::new().await?, World::new().await?);
    let operation = script("trap 'exit 0' TERM; while :; do sleep 0.1; done");
    // as processes leave them that were killed
    let (mut gone, mut kept) = (String::new(), String::new());
    let tidied = async {
        world.until_there_are(1).await?;
        gone = lost(&world, &world.instance).await?;
        kept = lost(&world, &other.instance).await?;
        world.runner.tidy().await;
        Ok(())
    };
    let run = world.run(request(PLAIN, &operation, &json!({}))?, tidied).await?;
    let code = &run.result()?["exit_code"];
    ensure!(
        run.ended.stopped && (code == 0 || code == 143),
        "the running job was not ended by SIGTERM: {:?}",
        run.ended
    );
    ensure!(
        world.docker.inspect_container(&gone, None).await.is_err(),
        "it is there"
    );
    let seen = world.docker.inspect_container(&kept, None).await;
    seen.context("the container of another instance")?;
    other.runner.tidy().await;
    other.until_there_are(0).await
}

/// Makes a container that runs and carries the name of an instance.
async fn lost(world: &World, instance: &str) -> anyhow::Result<String> {
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(vec!["/bin/sleep".to_owned(), "600".to_owned()]),
        labels: Some([("dev.callboard.instance".to_owned(), instance.to_owned())].into()),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::default().build();
    let id = world.docker.create_container(Some(options), body).await?.id;
    world.docker.start_container(&id, None).await?;
    Ok(id)
}
