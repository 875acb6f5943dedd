//! `GET /api/v1/jobs/{job_id}/stream` as it happens.

use std::fs;

use anyhow::{Context, ensure};
use callboard_tests::sse::{Stream, events, log, whole};
use rustix::process::Signal;
use serde_json::json;

/// Prints, a part at a time, what has characters of one to four bytes, and text that is long.
const PLAYBOOK: &str = "- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: \"{{ 'aü€🙂' * item }}\"}
      loop: \"{{ range(1, 400) | list }}\"
      loop_control: {label: '{{ item }}'}
";

#[tokio::test]
async fn connections_that_are_lost_at_any_byte_lose_nothing_and_show_nothing_twice() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let id = client
        .submit(&json!({"source": {"type": "inline", "content": PLAYBOOK}}))
        .await?;
    let mut cuts = 0_usize;
    // primes: the cuts fall on ids, on data, in the midst of characters
    let cut = || {
        cuts += 1;
        if cuts <= 150 {
            700 + cuts * 7919 % 30_011
        } else {
            usize::MAX
        }
    };
    let (messages, connections) = whole(&client, &id, "", cut).await?;
    ensure!(connections > 100, "the connection was lost only {connections} times");
    ensure!(log(&messages, 1)? == String::from_utf8(client.logs(&id).await?)?);
    ensure!(events(&messages, 1) == client.events(&id).await?);
    Ok(())
}

#[tokio::test]
async fn a_job_that_many_follow_is_read_once() -> anyhow::Result<()> {
    const FOLLOWERS: usize = 100;
    let (service, data) = crate::start(&["--workers", "1", "--max-followers", "300"])?;
    let client = service.client();
    let file = data.path().join("go");
    let playbook = "- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command:
        argv: [sh, -c, 'while [ ! -e \"$0\" ]; do sleep 0.05; done', '{{ file }}']
    - ansible.builtin.debug: {msg: \"{{ 'x' * 20000 }}\"}
      loop: \"{{ range(100) | list }}\"
      loop_control: {label: x}
";
    let source = json!({"type": "inline", "content": playbook});
    let id = client
        .submit(&json!({"source": source, "extra_vars": {"file": file}}))
        .await?;
    client
        .until(&id, |job| job["progress"]["current_task"] == "ansible.builtin.command")
        .await?;
    let mut streams = Vec::new();
    for _ in 0..FOLLOWERS {
        let mut stream = Stream::begin(&client, &id, "?types=log", None).await?;
        stream.next_of("log").await?;
        streams.push(stream);
    }
    let read_before = read(service.pid())?;
    fs::write(&file, "")?;
    let mut following = tokio::task::JoinSet::new();
    for mut stream in streams {
        following.spawn(async move {
            let mut bytes = 0;
            for message in stream.rest().await? {
                bytes += message.data["text"].as_str().map_or(0, str::len);
            }
            anyhow::Ok(bytes)
        });
    }
    let printed = client.ended(&id).await?["result"]["stdout_bytes"]
        .as_u64()
        .context("a size")?;
    while let Some(followed) = following.join_next().await {
        ensure!(followed?? > 2_000_000);
    }
    // the job's output and events are read when they come; whoever is too slow for a moment reads for itself
    let read = read(service.pid())? - read_before;
    ensure!(
        read < printed * FOLLOWERS as u64 / 4,
        "{read} bytes were read for {printed} bytes of output and {FOLLOWERS} followers"
    );
    Ok(())
}

/// Returns how many bytes a process has read.
fn read(pid: u32) -> anyhow::Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    Ok(line.context("a count")?.parse()?)
}

#[tokio::test]
async fn a_service_that_stops_says_so_and_another_one_goes_on_where_it_stopped() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let mut service = callboard_tests::Service::start_in(&data, &["--shutdown-grace", "0"])?;
    let client = service.client();
    let file = folder.path().join("go");
    let request =
        json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "options": {"max_attempts": 2}});
    let id = client.submit(&request).await?;
    let mut stream = Stream::begin(&client, &id, "", None).await?;
    let mut messages = vec![stream.next_of("log").await?];
    service.signal(Signal::TERM)?;
    messages.extend(stream.rest().await?);
    let end = messages.last().context("an end")?;
    ensure!(end.event == "end" && end.data["reason"] == "shutdown", "{messages:?}");
    service.wait()?;

    let service = callboard_tests::Service::start_in(&data, &[])?;
    let client = service.client();
    fs::write(&file, "")?;
    let last = end.id.clone();
    let mut stream = Stream::begin(&client, &id, "", Some(&last)).await?;
    messages.extend(stream.rest().await?);
    client.ended(&id).await?;
    ensure!(
        messages.last().is_some_and(|end| end.data["reason"] == "ended"),
        "{messages:?}"
    );
    for attempt in [1, 2] {
        let printed = client.log_of(&id, attempt).await?;
        ensure!(log(&messages, attempt)? == printed, "{attempt}: {messages:?}");
    }
    Ok(())
}

#[tokio::test]
async fn damaged_events_take_nothing_of_the_output_away() -> anyhow::Result<()> {
    let (service, data) = crate::start(&["--workers", "1"])?;
    let client = service.client();
    let job = client.run(&json!({"playbook": "hello.yml"})).await?;
    let id = job["job_id"].as_str().context("an id")?;
    let events = data.path().join("logs").join(id).join("1/events.jsonl");
    fs::OpenOptions::new().write(true).open(&events)?.set_len(10)?;
    let (messages, _) = whole(&client, id, "", || usize::MAX).await?;
    ensure!(
        log(&messages, 1)? == String::from_utf8(client.logs(id).await?)?,
        "{messages:?}"
    );
    let gaps: Vec<_> = messages.iter().filter(|message| message.event == "gap").collect();
    ensure!(
        gaps.len() == 1 && messages.last().is_some_and(|end| end.event == "end"),
        "{messages:?}"
    );
    Ok(())
}
