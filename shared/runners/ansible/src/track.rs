//! Reads a job's events to find out how far it has come, what it is doing, and what was counted.

use std::collections::BTreeMap;
use std::path::Path;

use callboard_core::base::json::is_deeper;
use callboard_core::request::MAX_OUTPUT_DEPTH;
use callboard_kind_ansible::detail::PlayProgress;
use callboard_kind_ansible::event::Event;
use callboard_kind_ansible::stats::{HostStats, Stats};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::failures;
use crate::notes::place;

/// The largest output that a record has, in bytes of JSON.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// The field of Ansible's report that has what `set_stats` set for the run.
const OUTPUT: &str = "artifact_data";
const MAX_NAME_CHARS: usize = 200;
/// How many of the hosts that are at a task a sentence names.
const MAX_HOSTS_NAMED: usize = 5;

/// The task that a host is at: its name and its place.
type AtTask = (String, Option<String>);

/// What a job's events have shown so far.
#[derive(Default)]
pub(crate) struct Tracker {
    /// The commit that runs, for the progress.
    pub(crate) commit: Option<String>,
    progress: PlayProgress,
    play_hosts: u32,
    /// The task that each host is at.
    running: BTreeMap<String, AtTask>,
    /// Ansible's own counts, which it reports at the playbook's end.
    pub(crate) stats: Option<Stats>,
    /// The fields of Ansible's report that were too large for its event.
    pub(crate) dropped: Vec<String>,
    /// What `set_stats` set for the run, unless it is too large for a record.
    pub(crate) output: Option<Map<String, Value>>,
    /// Whether it is.
    pub(crate) output_truncated: bool,
    /// The counts of the tasks so far, by host.
    counted: Stats,
}

#[derive(Deserialize)]
struct EventData {
    name: Option<String>,
    host: Option<String>,
    task: Option<String>,
    task_path: Option<String>,
    hosts_count: Option<u32>,
    ignore_errors: Option<bool>,
    ignore_unreachable: Option<bool>,
    res: Option<TaskResult>,
}

#[derive(Deserialize)]
struct TaskResult {
    changed: Option<Value>,
}

#[derive(Deserialize)]
struct OutputData<'a> {
    #[serde(borrow)]
    artifact_data: &'a RawValue,
}

type Counts = BTreeMap<String, u32>;

#[derive(Deserialize)]
struct StatsData {
    ok: Counts,
    changed: Counts,
    failures: Counts,
    dark: Counts,
    skipped: Counts,
    rescued: Counts,
    ignored: Counts,
    processed: Counts,
}

impl EventData {
    fn is_ignored(&self) -> bool {
        self.ignore_errors == Some(true) || self.ignore_unreachable == Some(true)
    }
}

impl Tracker {
    /// Notes the hosts that the job is for.
    pub(crate) fn expect(&mut self, hosts: Vec<String>) {
        for host in hosts {
            self.counted.entry(host).or_default();
        }
    }

    /// Returns Ansible's counts of a job that has failed, with the hosts that it was for and did not reach.
    pub(crate) fn stats_of_failure(&self, unfinished: &[String]) -> Option<Stats> {
        let mut stats = self.stats_so_far()?.clone();
        let missed = self.counted.iter().filter(|(_, host)| host.processed == 0);
        for name in missed.map(|(name, _)| name).chain(unfinished) {
            stats.entry(name.clone()).or_default();
        }
        Some(stats)
    }

    /// Returns Ansible's counts, or the counts so far if the playbook did not run to its end; in those, a host that no task
    /// has reached has `processed` 0.
    pub(crate) fn stats_so_far(&self) -> Option<&Stats> {
        let counted = Some(&self.counted).filter(|counted| !counted.is_empty());
        self.stats.as_ref().or(counted)
    }

    /// Reads one event; returns the progress if it has changed.
    pub(crate) fn read(&mut self, event: &Event) -> Option<PlayProgress> {
        let data = event.event_data.as_ref()?.get();
        if event.event == "playbook_on_stats" {
            self.read_stats(data);
            return None;
        }
        if !is_told(&event.event) {
            return None;
        }
        let data: EventData = serde_json::from_str(data).ok()?;
        self.count(event, &data);
        self.follow(&event.event, &data);
        if event.event == "runner_on_start" {
            return None;
        }
        self.step(event, data);
        let done = self.progress.hosts_ok + self.progress.hosts_failed;
        self.progress.hosts_pending = self.play_hosts.saturating_sub(done);
        Some(self.progress())
    }

    /// Takes Ansible's counts, if all of them are there, and what `set_stats` set for the run.
    fn read_stats(&mut self, data: &str) {
        if self.dropped.iter().all(|name| name == OUTPUT) {
            self.stats = serde_json::from_str(data).ok().map(per_host);
        }
        self.output_truncated = self.dropped.iter().any(|name| name == OUTPUT);
        if !self.output_truncated
            && let Ok(set) = serde_json::from_str::<OutputData<'_>>(data)
        {
            self.keep_output(set.artifact_data.get());
        }
    }

    fn keep_output(&mut self, set: &str) {
        self.output_truncated = set.len() > MAX_OUTPUT_BYTES;
        if self.output_truncated {
            return;
        }
        let set: Map<String, Value> = serde_json::from_str(set).unwrap_or_default();
        self.output_truncated = set.values().any(|value| is_deeper(value, MAX_OUTPUT_DEPTH));
        self.output = (!self.output_truncated && !set.is_empty()).then_some(set);
    }

    /// Returns how far the job has come.
    pub(crate) fn progress(&self) -> PlayProgress {
        PlayProgress {
            commit: self.commit.clone(),
            ..self.progress.clone()
        }
    }

    /// Returns a sentence that says which task the job is at, and on which hosts.
    pub(crate) fn doing(&self, root: &Path) -> Option<String> {
        let (_, first) = self.running.first_key_value()?;
        let hosts: Vec<&str> = self
            .running
            .iter()
            .filter(|(_, at)| *at == first)
            .map(|(host, _)| host.as_str())
            .collect();
        let named = hosts[..hosts.len().min(MAX_HOSTS_NAMED)].join(", ");
        let more = match hosts.len().saturating_sub(MAX_HOSTS_NAMED) {
            0 => String::new(),
            number => format!(" and {number} more"),
        };
        let (task, path) = first;
        let (file, line) = place(path.as_deref(), root);
        let place = failures::place(file.as_deref(), line);
        Some(format!("It was at task {task:?}{place} on {named}{more}."))
    }

    fn follow(&mut self, event: &str, data: &EventData) {
        let Some(host) = &data.host else { return };
        if event == "runner_on_start" {
            let task = data.task.clone().map(short).unwrap_or_default();
            self.running.insert(host.clone(), (task, data.task_path.clone()));
        } else {
            self.running.remove(host);
        }
    }

    fn count(&mut self, event: &Event, data: &EventData) {
        let Some(name) = &data.host else { return };
        if !self.counted.contains_key(name) {
            self.counted.insert(name.clone(), HostStats::default());
        }
        let Some(host) = self.counted.get_mut(name) else { return };
        let changed = data.res.as_ref().and_then(|result| result.changed.as_ref()?.as_bool());
        host.processed = 1;
        match event.event.as_str() {
            "runner_on_start" => {}
            "runner_on_failed" | "runner_on_unreachable" if data.is_ignored() => {
                host.ok += 1;
                host.ignored += 1;
            }
            "runner_on_failed" if event.rescued => host.rescued += 1,
            "runner_on_failed" => host.failures += 1,
            "runner_on_unreachable" => host.dark += 1,
            "runner_on_skipped" => host.skipped += 1,
            _ => {
                host.ok += 1;
                host.changed += u32::from(changed == Some(true));
            }
        }
    }

    fn step(&mut self, event: &Event, data: EventData) {
        match event.event.as_str() {
            "playbook_on_play_start" => {
                self.play_hosts = data.hosts_count.unwrap_or(0);
                self.progress = PlayProgress {
                    current_play: data.name.map(short),
                    ..PlayProgress::default()
                };
            }
            "playbook_on_task_start" => {
                self.progress.current_task = data.name.map(short);
                self.progress.hosts_ok = 0;
            }
            "runner_on_failed" | "runner_on_unreachable" if !data.is_ignored() && !event.rescued => {
                self.progress.hosts_failed += 1;
            }
            _ => self.progress.hosts_ok += 1,
        }
    }
}

/// Shortens a name, which may be long: a play without a name is named after all its hosts.
fn short(name: String) -> String {
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

fn is_told(event: &str) -> bool {
    matches!(
        event,
        "playbook_on_play_start"
            | "playbook_on_task_start"
            | "runner_on_start"
            | "runner_on_ok"
            | "runner_on_skipped"
            | "runner_on_failed"
            | "runner_on_unreachable"
    )
}

fn per_host(data: StatsData) -> Stats {
    let mut stats = Stats::new();
    let mut fill = |counts: Counts, field: fn(&mut HostStats) -> &mut u32| {
        for (host, count) in counts {
            *field(stats.entry(host).or_default()) = count;
        }
    };
    fill(data.ok, |host| &mut host.ok);
    fill(data.changed, |host| &mut host.changed);
    fill(data.failures, |host| &mut host.failures);
    fill(data.dark, |host| &mut host.dark);
    fill(data.skipped, |host| &mut host.skipped);
    fill(data.rescued, |host| &mut host.rescued);
    fill(data.ignored, |host| &mut host.ignored);
    fill(data.processed, |host| &mut host.processed);
    stats
}
