//! Each option has the effect of the flag of its name.

use std::fs;

use anyhow::ensure;
use callboard_tests::Service;
use serde_json::{Value, json};

#[tokio::test]
async fn check_and_diff_show_what_would_change() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let (short, long) = (["check", "diff"], ["check_mode", "diff_mode"]);
    for ([check_name, diff_name], check, diff) in [
        (short, true, false),
        (short, true, true),
        (short, false, true),
        (short, false, false),
        (long, true, false),
        (long, false, true),
    ] {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("file");
        fs::write(&file, "old line\n")?;
        let request = json!({
            "playbook": "features/write_file.yml", "extra_vars": {"dir": dir.path()},
            "options": {check_name: check, diff_name: diff},
        });
        let played = crate::play(&service.client(), &request).await?;
        let content = fs::read_to_string(&file)?;
        ensure!((content == "old line\n") == check, "check {check}: {content:?}");
        let shown = played.log.contains("-old line\n+new line\n");
        ensure!(shown == diff, "diff {diff}: {}", played.log);
        ensure!(
            played.job["result"]["stats"]["localhost"]["changed"] == 1,
            "{}",
            played.job
        );
    }
    Ok(())
}

#[tokio::test]
async fn tags_limit_start_and_verbosity_choose_what_runs() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let all = [
        "one untagged",
        "one one",
        "one two",
        "two untagged",
        "two one",
        "two two",
    ];
    for (options, expected) in [
        (json!({}), all.to_vec()),
        (json!({"tags": ["one"]}), vec!["one one", "two one"]),
        (
            json!({"tags": ["one", "deploy"]}),
            vec!["one one", "one two", "two one", "two two"],
        ),
        (json!({"tags": ["one,two"], "limit": "one"}), vec!["one one", "one two"]),
        (
            json!({"skip_tags": ["one", "two"]}),
            vec!["one untagged", "two untagged"],
        ),
        (
            json!({"tags": ["tagged"], "skip_tags": ["deploy"]}),
            vec!["one one", "two one"],
        ),
        (json!({"start_at_task": "Two"}), vec!["one two", "two two"]),
        (
            json!({"start_at_task": "On*", "skip_tags": ["two"]}),
            vec!["one one", "two one"],
        ),
        (json!({"limit": "all:!one"}), vec!["two untagged", "two one", "two two"]),
        (
            json!({"limit": "one", "tags": ["untagged"], "verbosity": 1}),
            vec!["one untagged"],
        ),
        (
            json!({"limit": "two", "tags": ["untagged"], "verbosity": 2}),
            vec!["two untagged", "two verbosely"],
        ),
    ] {
        let inventory = crate::hosts(&json!({"one": {}, "two": {}}));
        let request = json!({"playbook": "features/tags.yml", "inventory": inventory, "options": options});
        let played = crate::play(&service.client(), &request).await?;
        let ran = ran(&played.log);
        let mut expected = expected;
        expected.sort_unstable();
        ensure!(ran == expected, "{options}: {ran:?}\n{}", played.log);
    }
    Ok(())
}

/// Finds `ok: [host] => {` with `"msg": "ran task"` below it.
fn ran(log: &str) -> Vec<String> {
    let mut host = "";
    let mut found = Vec::new();
    for line in log.lines() {
        if let Some(rest) = line.strip_prefix("ok: [") {
            host = rest.split(']').next().unwrap_or_default();
        }
        if let Some((_, rest)) = line.split_once("\"ran ") {
            found.push(format!("{host} {}", rest.trim_end_matches('"')));
        }
    }
    found.sort_unstable();
    found
}

#[tokio::test]
async fn verbosity_is_ansibles_own() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let signs = [
        "\"ping\": \"pong\"",
        "task path: ",
        "EXEC /bin/sh",
        "Loading callback plugin ",
    ];
    for verbosity in 0..=4 {
        let request = json!({"playbook": "features/failing.yml", "options": {"verbosity": verbosity}});
        let log = crate::play(&service.client(), &request).await?.log;
        for (index, sign) in signs.into_iter().enumerate() {
            ensure!(
                log.contains(sign) == (verbosity > index),
                "-v {verbosity}, {sign:?}: {log}"
            );
        }
    }
    Ok(())
}

/// The tasks of `forks.yml` end when all of them run at once.
#[tokio::test]
async fn forks_say_how_many_hosts_are_worked_on_at_once() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let hosts: Value = (0..8)
        .map(|number| (format!("host{number}"), json!({})))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let dir = tempfile::tempdir()?;
    let mut request = json!({
        "playbook": "features/forks.yml", "inventory": crate::hosts(&hosts), "options": {"forks": 8},
        "extra_vars": {"dir": dir.path()},
    });
    let played = crate::play(&service.client(), &request).await?;
    ensure!(played.job["status"] == "successful", "{}", played.log);

    let few = tempfile::tempdir()?;
    request["extra_vars"]["dir"] = json!(few.path());
    request["options"]["forks"] = json!(3);
    let id = service.client().submit(&request).await?;
    let met = || fs::read_dir(few.path()).map(Iterator::count).unwrap_or_default();
    callboard_tests::wait::until("three hosts have started", || met() == 3).await?;
    ensure!(service.client().job(&id).await?["status"] == "running");
    ensure!(met() == 3, "{} hosts were started", met());
    service.client().delete(&format!("/api/v1/jobs/{id}")).await?;
    service.client().ended(&id).await?;
    Ok(())
}

#[tokio::test]
async fn with_the_free_strategy_a_host_goes_ahead_of_one_that_waits() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let dir = tempfile::tempdir()?;
    let request = json!({
        "playbook": "features/free.yml", "inventory": crate::hosts(&json!({"first": {}, "second": {}})),
        "extra_vars": {"dir": dir.path()},
    });
    let played = crate::play(&service.client(), &request).await?;
    ensure!(played.job["status"] == "successful", "{}", played.log);
    Ok(())
}

/// The first host of `strategy.yml` waits for what the second does in the next task.
#[tokio::test]
async fn the_strategy_of_a_play_that_names_none_is_the_one_that_is_asked_for() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    for (options, reason) in [
        (json!({"strategy": "free"}), Value::Null),
        (json!({"strategy": "linear", "timeout": 3}), json!("timeout")),
        (json!({"timeout": 3}), json!("timeout")),
    ] {
        let dir = tempfile::tempdir()?;
        let request = json!({
            "playbook": "features/strategy.yml", "inventory": crate::hosts(&json!({"first": {}, "second": {}})),
            "extra_vars": {"dir": dir.path()}, "options": options,
        });
        let played = crate::play(&service.client(), &request).await?;
        ensure!(played.job["reason"] == reason, "{options}: {}", played.log);
        ensure!(dir.path().join("ahead").exists() == reason.is_null(), "{options}");
    }
    Ok(())
}

#[tokio::test]
async fn labels_and_where_the_end_is_to_be_told_are_kept_with_the_job() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let options = json!({
        "labels": {"team": "web", "ticket/id": "ö-1"}, "callback_url": "https://ci.example/hooks/1?x=y",
    });
    let request = json!({"playbook": "hello.yml", "options": options});
    let played = crate::play(&service.client(), &request).await?;
    ensure!(played.job["status"] == "successful", "{}", played.log);
    ensure!(played.job["options"] == options, "{}", played.job);
    Ok(())
}
