//! What a call returns, and what the record says of it.

use anyhow::ensure;
use callboard_core::job::JobStatus;
use callboard_testkit::calls::never;
use serde_json::json;

use crate::world::{IMAGE, PLAIN, TOKEN, World, request, script};

#[tokio::test]
async fn a_call_returns_what_the_container_prints_and_the_record_says_what_ran_and_how_it_was_isolated()
-> anyhow::Result<()> {
    let world = World::new().await?;
    let config = json!({
        "image": IMAGE, "pull": "never", "output": "json", "cpu_millis": 500,
        "command": ["/bin/printf", "{{\"said\": \"%s\"}}", "({text})"],
    });
    let operation = format!("runner_config: {config}, output_schema: {{required: [said]}}");
    let run = world.call(PLAIN, &operation, json!({"text": "a $(id); 'b'"})).await?;
    let result = run.result()?;
    ensure!(run.ended.outcome.status == JobStatus::Successful, "{result}");
    ensure!(result["output"] == json!({"said": "(a $(id); 'b')"}), "{result}");
    ensure!(
        result["exit_code"] == 0 && result["output_truncated"] == false,
        "{result}"
    );
    let image = world.docker.inspect_image(IMAGE).await?;
    let digest = image.repo_digests.unwrap_or_default().pop();
    let digest = digest.and_then(|digest| digest.split_once('@').map(|(_, digest)| digest.to_owned()));
    let digest = digest.or(image.id).unwrap_or_default();
    let called = result["called"].as_str().unwrap_or_default();
    ensure!(
        called.starts_with(&format!("callboard-test/tool@{digest} /bin/printf")),
        "{called}"
    );
    ensure!(called.ends_with("\"(a $(id); 'b')\""), "{called}");
    let isolation = result["isolation"].to_string();
    for word in [
        "no_capabilities",
        "no_new_privileges",
        "non_root",
        "read_only",
        "no_host_files",
        "namespaces",
        "no_network",
        "memory",
        "processes",
        "cpus",
    ] {
        ensure!(isolation.contains(&format!("\"{word}\"")), "{word}: {isolation}");
    }
    ensure!(
        run.events.contains("call_started") && run.events.contains("call_answered"),
        "{}",
        run.events
    );
    world.until_there_are(0).await
}

#[tokio::test]
async fn a_container_that_fails_says_how_and_is_run_again_where_that_is_wanted() -> anyhow::Result<()> {
    let world = World::new().await?;
    let failing = script("echo some output; echo it broke >&2; exit 7");
    let run = world.call(PLAIN, &failing, json!({})).await?;
    let result = run.result()?;
    ensure!(result["reason"] == "exit_code" && result["exit_code"] == 7, "{result}");
    ensure!(
        result["error"] == "The container ended with exit code 7: it broke",
        "{result}"
    );
    ensure!(
        result["output"] == "some output\n" && run.ended.again.is_none(),
        "{result}"
    );

    let wanted = format!("{failing}, max_retries: 2, retry: {{initial_interval: 0}}, idempotent: true");
    let names = world.call(PLAIN, &wanted, json!({})).await?.names();
    let count = |name| names.iter().filter(|known| *known == name).count();
    ensure!(count("call_retried") == 2 && count("call_started") == 3, "{names:?}");
    let expected = script("exit 7").replace("runner_config: {", "runner_config: {\"success_codes\": [7], ");
    let result = world.call(PLAIN, &expected, json!({})).await?.result()?;
    ensure!(result["status"] == "successful" && result["exit_code"] == 7, "{result}");
    let missing = json!({"image": IMAGE, "pull": "never", "command": ["/bin/no-such-program"]});
    let result = world
        .call(PLAIN, &format!("runner_config: {missing}"), json!({}))
        .await?
        .result()?;
    ensure!(result["reason"] == "exit_code" && result["exit_code"] != 0, "{result}");
    Ok(())
}

#[tokio::test]
async fn an_output_that_is_not_what_it_should_be_is_kept_and_told() -> anyhow::Result<()> {
    let world = World::new().await?;
    let json = |text: &str| script(text).replace("runner_config: {", "runner_config: {\"output\": \"json\", ");
    let result = world.call(PLAIN, &json("echo no json"), json!({})).await?.result()?;
    ensure!(
        result["reason"] == "output_invalid" && result["output"] == "no json\n",
        "{result}"
    );
    let schema = format!("{}, output_schema: {{type: object}}", json("echo '[1]'"));
    let result = world.call(PLAIN, &schema, json!({})).await?.result()?;
    ensure!(
        result["reason"] == "output_invalid" && result["output"] == json!([1]),
        "{result}"
    );

    let run = world
        .call(PLAIN, &script("yes 0123456789abcde | head -c 3000000"), json!({}))
        .await?;
    let result = run.result()?;
    ensure!(
        result["status"] == "successful" && result["output_truncated"] == true,
        "{result}"
    );
    ensure!(result["output"].as_str().is_some_and(|text| text.len() == 1 << 20));
    ensure!(run.stdout.len() == 3_000_000, "the log has {} bytes", run.stdout.len());
    Ok(())
}

#[tokio::test]
async fn a_secret_that_json_hides_is_not_in_the_output() -> anyhow::Result<()> {
    let world = World::new().await?;
    let escaped: String = TOKEN
        .chars()
        .map(|char| format!("\\\\u{:04x}", u32::from(char)))
        .collect();
    let config = json!({
        "image": IMAGE, "pull": "never", "output": "json", "environment": {"TOKEN": {"credential": "t"}},
        "command": ["/bin/sh", "-c"], "args": [format!("printf '{{{{\"token\": \"{escaped}\"}}}}'; printf $TOKEN >&2; printenv TOKEN | cut -c 1-12 >&2")],
    });
    let run = world
        .call(PLAIN, &format!("runner_config: {config}"), json!({}))
        .await?;
    let result = run.result()?;
    ensure!(result["output"] == json!({"token": "********"}), "{result}");
    let kept = [run.stdout, run.events, result.to_string()].concat();
    ensure!(!kept.contains(TOKEN), "{kept}");
    Ok(())
}

#[tokio::test]
async fn an_input_that_is_not_read_keeps_nothing_waiting() -> anyhow::Result<()> {
    let world = World::new().await?;
    let long = "x".repeat(1_000_000);
    let reading = |text: &str| script(text).replace("runner_config: {", "runner_config: {\"stdin\": \"input\", ");
    let run = world.call(PLAIN, &reading("wc -c"), json!({"text": long})).await?;
    ensure!(run.stdout.trim() == (long.len() + 11).to_string(), "{}", run.stdout);
    let run = world.call(PLAIN, &reading("exit 0"), json!({"text": long})).await?;
    ensure!(run.ended.outcome.status == JobStatus::Successful, "{:?}", run.ended);
    Ok(())
}

#[tokio::test]
async fn an_image_that_cannot_be_had_is_named() -> anyhow::Result<()> {
    let world = World::new().await?;
    for (image, pull) in [
        ("callboard-test/none:1", "never"),
        ("localhost:1/callboard/none:1", "missing"),
    ] {
        let operation = format!("runner_config: {}", json!({"image": image, "pull": pull}));
        let result = world.call(PLAIN, &operation, json!({})).await?.result()?;
        ensure!(result["reason"] == "source_unavailable", "{result}");
        ensure!(
            result["error"].as_str().is_some_and(|error| error.contains(image)),
            "{result}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_container_is_ended_when_its_time_is_over() -> anyhow::Result<()> {
    let world = World::new().await?;
    let operation = format!(
        "{}, timeout: 2",
        script("trap '' TERM; echo begun; while :; do sleep 0.1; done")
    );
    let run = world.run(request(PLAIN, &operation, &json!({}))?, never()).await?;
    let result = run.result()?;
    ensure!(result["reason"] == "timeout" && !run.ended.stopped, "{result}");
    ensure!(run.stdout == "begun\n", "{}", run.stdout);
    world.until_there_are(0).await
}
