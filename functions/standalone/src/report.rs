//! The last line that `run` prints, and its exit code.

use std::fmt::Write;

use callboard_core::job::{Job, JobStatus};
use callboard_core::request::Reason;
use callboard_kind_ansible::detail::Detail;
use callboard_kind_ansible::stats::{HostStats, Stats};
use serde_json::Value;

use crate::signals::Ending;

/// How many hosts the line names; failed hosts come first.
const MAX_HOSTS: usize = 5;
/// The exit code that `timeout(1)` uses for a program that took too long.
const TIMED_OUT: u8 = 124;
const ERROR: u8 = 1;

/// Formats one line: status, duration, job id, and counts per host.
pub(crate) fn line(job: &Job) -> String {
    let state = &job.state;
    let span = state
        .started_at
        .zip(state.finished_at)
        .map(|(start, end)| end.since(start));
    let mut line = format!(
        "{} in {:.1} s, job {}",
        state.status,
        span.unwrap_or_default().as_secs_f64(),
        job.id
    );
    let Some(outcome) = &state.outcome else { return line };
    if let Some(stats) = Detail::of(outcome).stats {
        line.push_str(&hosts(&stats));
    }
    if let Some(error) = &outcome.error {
        // text from a host must not control the terminal
        let first = error.lines().next().unwrap_or_default();
        let shown: String = first.chars().filter(|char| !char.is_control()).collect();
        let _written = write!(line, ": {shown}");
    }
    line
}

/// Returns Ansible's exit code if there is one; otherwise the code that a shell would report for such an end.
pub(crate) fn exit_code(job: &Job, ending: Option<Ending>) -> u8 {
    let outcome = job.state.outcome.as_ref();
    if job.state.status == JobStatus::Canceled {
        return ending.map_or(ERROR, Ending::exit_code);
    }
    let Some(outcome) = outcome else { return ERROR };
    let timed_out = |reason: &Reason| [Reason::TIMEOUT, Reason::IDLE_TIMEOUT].contains(reason);
    if outcome.reason.as_ref().is_some_and(timed_out) {
        return TIMED_OUT;
    }
    // that of ansible-playbook, or of a program that a service runs
    let codes = ["rc", "exit_code"].map(|name| outcome.detail.0.get(name).and_then(Value::as_u64));
    let code = codes.into_iter().flatten().find_map(|code| u8::try_from(code).ok());
    let otherwise = u8::from(job.state.status != JobStatus::Successful) * ERROR;
    match code {
        // an exit code that does not count as a failure, or the other way round
        Some(code) if (code == 0) == (otherwise == 0) => code,
        _ => otherwise,
    }
}

fn hosts(stats: &Stats) -> String {
    let mut text = String::new();
    let mut worst: Vec<_> = stats.iter().collect();
    worst.sort_by_key(|(_, counts)| counts.failures == 0 && counts.dark == 0);
    let (named, rest) = worst.split_at(worst.len().min(MAX_HOSTS));
    for (name, counts) in named {
        text.push_str(&format!(", {name}: {}", told(counts)));
    }
    if !rest.is_empty() {
        let more = rest.len();
        let rest = rest
            .iter()
            .fold(HostStats::default(), |sum, (_, counts)| add(&sum, counts));
        let noun = if more == 1 { "host" } else { "hosts" };
        text.push_str(&format!(", {more} more {noun}: {}", told(&rest)));
    }
    text
}

/// Formats the counts of a host.
pub(crate) fn told(counts: &HostStats) -> String {
    let named = [
        ("ok", counts.ok),
        ("changed", counts.changed),
        ("unreachable", counts.dark),
        ("failed", counts.failures),
        ("skipped", counts.skipped),
        ("rescued", counts.rescued),
        ("ignored", counts.ignored),
    ];
    let always = |name: &str| name == "ok" || name == "changed";
    let shown = named.iter().filter(|(name, count)| *count > 0 || always(name));
    shown
        .map(|(name, count)| format!("{name}={count}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn add(sum: &HostStats, counts: &HostStats) -> HostStats {
    HostStats {
        ok: sum.ok + counts.ok,
        changed: sum.changed + counts.changed,
        failures: sum.failures + counts.failures,
        dark: sum.dark + counts.dark,
        skipped: sum.skipped + counts.skipped,
        rescued: sum.rescued + counts.rescued,
        ignored: sum.ignored + counts.ignored,
        processed: sum.processed + counts.processed,
    }
}
