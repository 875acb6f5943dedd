//! Programs that jobs start, each with what came of it and what is kept.

mod confinement;
mod contract;
mod exhaustion;
mod injection;
mod lost;
mod programs;
mod world;

use anyhow::{Context, ensure};
use callboard_testkit::wait::until;
use serde_json::json;

use crate::world::{TOKEN, python, script};

#[tokio::test]
async fn a_call_returns_what_the_program_prints_without_its_secrets() -> anyhow::Result<()> {
    let service = script(r#"cat; printf '{"token": "%s", "cwd": "%s"}' "$TOKEN" "$(pwd)"; echo warned: $TOKEN >&2"#)
        .config(
            "environment",
            json!({"TOKEN": {"credential": "of-the-program"}, "MODE": "quick"}),
        )
        .config("output", "json")
        .operation("output_schema", json!({"required": ["token"]}));
    // whoever knows the secret may give it as input: it is not in what is told of the arguments
    let mut service = service.input(json!({"a": TOKEN}));
    let args = service.operation["runner_config"]["args"].as_array_mut();
    args.context("no arguments")?.extend(["--", "{a}"].map(Into::into));
    let run = service.run().await?;
    ensure!(run.is_successful(), "{run:?}");
    ensure!(run.result["output"]["token"] == "********", "{run:?}");
    ensure!(run.result["exit_code"] == 0 && run.stdout.contains("warned"), "{run:?}");
    let events: Vec<serde_json::Value> = run.events.lines().flat_map(serde_json::from_str).collect();
    ensure!(
        events[0]["event"] == "call_started" && events[0]["argv"][0] == "/bin/sh",
        "{events:?}"
    );
    ensure!(
        events[1]["event"] == "call_answered" && events[1]["isolation"] == run.result["isolation"],
        "{events:?}"
    );
    let kept = format!("{run:?}");
    ensure!(!kept.contains(TOKEN), "{kept}");
    // its escapes hide it from a search of the text
    let hidden: String = TOKEN
        .chars()
        .map(|char| format!("\\u{:04x}", u32::from(char)))
        .collect();
    let service = script(&format!(r#"printf '%s' '["{hidden}"]'"#)).config("output", "json");
    let service = service.config("environment", json!({"TOKEN": {"credential": "of-the-program"}}));
    let run = service.run().await?;
    ensure!(run.result["output"] == json!(["********"]), "{run:?}");
    Ok(())
}

#[tokio::test]
async fn the_input_is_given_as_json_and_as_arguments() -> anyhow::Result<()> {
    let service = script("cat").config("stdin", "input").config("output", "json");
    let input = json!({"text": "ü\n\u{0}", "list": [1, {"a": null}], "long": "x".repeat(300_000)});
    let run = service.input(input.clone()).run().await?;
    ensure!(run.result["output"] == input, "{}", run.error());
    let long = script("exit 0").config("args", json!(["-c", "exit 0", "sh", "--", "{a}"]));
    let run = long.input(json!({"a": "x".repeat(200_000)})).run().await?;
    ensure!(
        run.reason() == "request_invalid" && run.error().contains("longer than"),
        "{}",
        run.error()
    );
    Ok(())
}

#[tokio::test]
async fn a_program_has_the_variables_of_its_service_and_no_others() -> anyhow::Result<()> {
    let run = script("env")
        .config("environment", json!({"MODE": "a b", "LANG": "C"}))
        .run()
        .await?;
    let mut names: Vec<&str> = run
        .output()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    ensure!(
        names == ["CALLBOARD_JOB_ID", "HOME", "LANG", "MODE", "PATH", "PWD", "TMPDIR"],
        "{}",
        run.output()
    );
    ensure!(
        run.output().contains("MODE=a b\n") && run.output().contains("LANG=C\n"),
        "{}",
        run.output()
    );
    ensure!(run.output().contains("PATH=/usr/bin:/bin\n"), "{}", run.output());
    Ok(())
}

#[tokio::test]
async fn an_end_that_is_no_success_is_told() -> anyhow::Result<()> {
    let many = "i=0; while [ $i -lt 200 ]; do echo this is line $i >&2; i=$((i+1)); done; exit 3";
    let run = script(many).run().await?;
    ensure!(run.reason() == "exit_code" && run.result["exit_code"] == 3, "{run:?}");
    ensure!(
        run.error().contains("exit code 3: this is line") && run.error().ends_with("line 199."),
        "{}",
        run.error()
    );
    let run = script(many).config("success_codes", json!([0, 3])).run().await?;
    ensure!(run.is_successful(), "{run:?}");
    let run = script("kill -SEGV $$").run().await?;
    ensure!(run.result["exit_code"] == 139, "{run:?}");
    let run = script("echo no json").config("output", "json").run().await?;
    ensure!(
        run.reason() == "output_invalid" && run.result["output"] == "no json\n",
        "{run:?}"
    );
    let schema = json!({"properties": {"id": {"type": "integer"}}});
    let service = script(r#"echo '{"id": "x"}'"#)
        .config("output", "json")
        .operation("output_schema", schema);
    let run = service.run().await?;
    ensure!(
        run.reason() == "output_invalid" && run.error().contains("/id"),
        "{run:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_program_that_may_be_repeated_is_repeated() -> anyhow::Result<()> {
    let service = script("exit 1")
        .operation("max_retries", 2)
        .operation("idempotent", true);
    let run = service.operation("retry", json!({"initial_interval": 7})).run().await?;
    ensure!(
        run.ended.again == Some(std::time::Duration::from_secs(7)),
        "{:?}",
        run.ended
    );
    ensure!(run.events.contains("call_retried"), "{}", run.events);
    let run = script("exit 1").run().await?;
    ensure!(run.ended.again.is_none(), "{:?}", run.ended);
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_stopped_can_end_in_order_and_ends_in_any_case() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().display();
    let begun = folder.path().join("begun");
    // what a program stops does not keep it from seeing the signal
    let text = format!(
        "trap 'echo orderly > {path}/end; exit 0' TERM; (trap '' TERM; sleep 600) & echo > {path}/begun; while :; do sleep 0.05; done"
    );
    let service = script(&text).policy("write_paths", json!([folder.path()]));
    let run = service.run_until(until("it runs", || begun.exists())).await?;
    ensure!(run.ended.stopped, "{:?}", run.ended);
    ensure!(std::fs::read_to_string(folder.path().join("end"))? == "orderly\n");
    Ok(())
}

#[tokio::test]
async fn a_program_that_closes_its_output_runs_to_its_end() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = format!(
        "exec >&- 2>&-; sleep 0.3; echo done > {}/done; exit 5",
        folder.path().display()
    );
    let run = script(&text)
        .policy("write_paths", json!([folder.path()]))
        .run()
        .await?;
    ensure!(run.result["exit_code"] == 5, "{run:?}");
    ensure!(folder.path().join("done").exists());
    // it dies of a pipe that nobody reads, as it does in a shell
    let run = python("import signal; print(signal.getsignal(signal.SIGXFSZ))")
        .run()
        .await?;
    ensure!(run.is_successful(), "{run:?}");
    let run = script("(yes; echo survived >&2) | head -n 1").run().await?;
    ensure!(run.output() == "y\n", "{run:?}");
    Ok(())
}
