//! Streams of jobs: how soon a follower sees what Ansible prints, and what many followers cost.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_tests::processes::{peak_kib, processor_time};
use callboard_tests::raw::allow_connections;
use callboard_tests::sse::Stream;
use callboard_tests::{Client, Service};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;

use crate::report::{Report, Target};

const TASKS: usize = 100;
const FOLLOWERS: usize = 1000;
/// Waits for a file, then prints 2 MB.
const MANY: &str = "- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command:
        argv: [sh, -c, 'while [ ! -e \"$0\" ]; do sleep 0.05; done', '{{ file }}']
    - ansible.builtin.debug: {msg: \"{{ 'x' * 20000 }}\"}
      loop: \"{{ range(100) | list }}\"
      loop_control: {label: x}
";

/// From when the callback of ansible-runner is called that prints a result, as its event tells, until a follower has its text.
pub(crate) async fn latency(report: &mut Report) -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "1"])?;
    let client = service.client();
    let tasks = (0..TASKS).map(|number| format!("    - ansible.builtin.debug: {{msg: 'result {number};'}}\n"));
    let playbook = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n{}",
        tasks.collect::<String>()
    );
    let source = json!({"type": "inline", "content": playbook});
    let id = client.submit(&json!({"source": source})).await?;
    let seen = results_seen(&client, &id).await?;
    let printed: HashMap<usize, OffsetDateTime> = client.events(&id).await?.iter().filter_map(result_printed).collect();
    ensure!(seen.len() == TASKS && printed.len() == TASKS, "a result is missing");
    let mut delays = Vec::new();
    for (number, at) in &seen {
        delays.push((*at - printed[number]).as_seconds_f64() * 1e3);
    }
    delays.sort_by(f64::total_cmp);
    let reference = "from the callback that prints it";
    let (half, most) = (delays[TASKS / 2], delays[TASKS * 95 / 100]);
    report.add("output to a follower, p50", half, "ms", Target::AtMost(50.0), reference);
    report.add(
        "output to a follower, p95",
        most,
        "ms",
        Target::AtMost(100.0),
        reference,
    );
    Ok(())
}

/// Follows a job to its end; returns when each result was there.
async fn results_seen(client: &Client, id: &str) -> anyhow::Result<HashMap<usize, OffsetDateTime>> {
    let mut stream = Stream::begin(client, id, "?types=log", None).await?;
    let (mut text, mut seen) = (String::new(), HashMap::new());
    while let Some(message) = stream.next().await? {
        let now = OffsetDateTime::now_utc();
        text.push_str(message.data["text"].as_str().unwrap_or_default());
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = text.drain(..complete).collect();
        for number in lines.lines().filter_map(result) {
            seen.entry(number).or_insert(now);
        }
    }
    Ok(seen)
}

/// Returns the result that an event is about, and when it was printed.
fn result_printed(event: &Value) -> Option<(usize, OffsetDateTime)> {
    let is_result = event["event"] == "runner_on_ok";
    let number = event["stdout"]
        .as_str()
        .filter(|_| is_result)?
        .lines()
        .find_map(result)?;
    let created = OffsetDateTime::parse(event["created"].as_str()?, &Rfc3339);
    Some((number, created.ok()?))
}

/// Returns the number of the result that a line shows.
fn result(line: &str) -> Option<usize> {
    let (number, _) = line.split_once("result ")?.1.split_once(';')?;
    number.parse().ok()
}

/// The service's processor time and memory while a thousand follow a job, against one follower.
pub(crate) async fn followers(report: &mut Report) -> anyhow::Result<()> {
    allow_connections(4096)?;
    let one = cost_of(1).await?;
    let many = cost_of(FOLLOWERS).await?;
    let each = (many.time.saturating_sub(one.time)).as_secs_f64() * 1e3 / (FOLLOWERS - 1) as f64;
    report.add(
        "one of 1,000 followers of 2 MB",
        each,
        "ms",
        Target::AtMost(5.0),
        format!("{:.0} ms of processor time with one", one.time.as_secs_f64() * 1e3),
    );
    report.add(
        "1,000 followers of 2 MB: memory",
        many.memory - one.memory,
        "MiB",
        Target::AtMost(100.0),
        format!("more than the {:.0} MiB with one", one.memory),
    );
    Ok(())
}

/// What a service has used.
struct Cost {
    time: Duration,
    /// The peak, in MiB.
    memory: f64,
}

/// Has a job followed, and checks that each follower gets all of its output.
async fn cost_of(followers: usize) -> anyhow::Result<Cost> {
    let (service, _data) = Service::start(&["--workers", "1", "--max-followers", "1200"])?;
    let (client, folder) = (service.client(), tempfile::tempdir()?);
    let file = folder.path().join("go");
    let source = json!({"type": "inline", "content": MANY});
    let request = json!({"source": source, "extra_vars": {"file": file}});
    let id = client.submit(&request).await?;
    let mut streams = Vec::new();
    for _ in 0..followers {
        let mut stream = Stream::begin(&client, &id, "?types=log", None).await?;
        stream.next_of("log").await?;
        streams.push(stream);
    }
    let before = processor_time(service.pid())?;
    fs::write(&file, "")?;
    let mut following = JoinSet::new();
    for stream in streams {
        following.spawn(followed(stream));
    }
    let job = client.ended(&id).await?;
    let printed = job["result"]["stdout_bytes"].as_u64().context("a size")?;
    while let Some(followed) = following.join_next().await {
        let followed = followed??;
        ensure!(followed == printed, "a follower got {followed} of {printed} bytes");
    }
    Ok(Cost {
        time: processor_time(service.pid())? - before,
        memory: peak_kib(service.pid())? as f64 / 1024.0,
    })
}

/// Follows a job to its end; returns how many bytes of its output were shown, each in its place.
async fn followed(mut stream: Stream) -> anyhow::Result<u64> {
    let mut end = None;
    while let Some(message) = stream.next().await? {
        if message.event != "log" {
            continue;
        }
        let offset = message.data["offset"].as_u64().context("an offset")?;
        ensure!(end.is_none_or(|end| end == offset), "there is a gap before {offset}");
        let text = message.data["text"].as_str().context("a text")?;
        end = Some(offset + text.len() as u64);
    }
    end.context("no output was shown")
}
