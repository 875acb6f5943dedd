//! The failures of a job: the first one of each host, unless it was forgiven later.

use callboard_kind_ansible::failures::{FailureCause, FailureKind, HostFailure, MAX_FAILURES};

/// What went wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<HostFailure>);

impl Failures {
    /// Notes a failure. The first failure of each host is kept, and so is the first of each kind, however many there are of the other.
    pub(crate) fn note(&mut self, failure: HostFailure) {
        if self.0.iter().any(|known| known.host == failure.host) {
            return;
        }
        if self.0.len() == MAX_FAILURES {
            if self.first(failure.kind).is_some() {
                return;
            }
            self.0.pop();
        }
        self.0.push(failure);
    }

    /// Forgets what went wrong on a host.
    pub(crate) fn forgive(&mut self, host: &str) {
        self.0.retain(|failure| failure.host != host);
    }

    /// Returns the first failure of a kind.
    pub(crate) fn first(&self, kind: FailureKind) -> Option<&HostFailure> {
        self.0.iter().find(|failure| failure.kind == kind)
    }

    /// Returns all failures, so that their messages can be replaced.
    pub(crate) fn all_mut(&mut self) -> &mut [HostFailure] {
        &mut self.0
    }

    /// Returns all failures.
    pub(crate) fn all(&self) -> &[HostFailure] {
        &self.0
    }
}

/// The exit codes by which Python and a shell report SIGKILL.
pub(crate) const KILLED: [i64; 2] = [-9, 137];
const MET: &str = "Warning: Permanently added ";
/// How many characters of one text a sentence quotes.
const MAX_QUOTED_CHARS: usize = 2400;

/// Describes a failure: the host's name, then the task, its place, the message, the exit code, and the cause behind it.
pub(crate) fn told(failure: &HostFailure) -> String {
    let place = place(failure.file.as_deref(), failure.line);
    let mut text = failure.host.clone();
    if let Some(other) = failure.delegated_to.as_ref().filter(|other| **other != failure.host) {
        text.push_str(&format!(" (delegated to {other})"));
    }
    text.push_str(&format!(" in task {:?}{place}", failure.task));
    if let Some(item) = &failure.item {
        text.push_str(&format!(", item {item:?}"));
    }
    let said = said(
        &failure.message,
        failure.rc,
        last_line(&failure.stderr, &failure.stdout),
    );
    if !said.is_empty() {
        text.push_str(&format!(": {said}"));
    }
    if let Some(cause) = &failure.cause {
        text.push_str(&behind(cause));
    }
    text
}

/// Returns the place of a task, in brackets.
pub(crate) fn place(file: Option<&str>, line: Option<u32>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        (Some(file), None) => format!(" ({file})"),
        (None, _) => String::new(),
    }
}

fn last_line<'a>(stderr: &'a Option<String>, stdout: &'a Option<String>) -> Option<&'a str> {
    stderr.as_deref().or(stdout.as_deref())
}

/// Returns a message; adds the exit code and the last line of the output if it does not contain them.
fn said(message: &str, rc: Option<i64>, last: Option<&str>) -> String {
    let mut text = quoted(&in_one_line(message));
    if let Some(rc) = rc.filter(|rc| !names_code(&text, *rc)) {
        let killed = if KILLED.contains(&rc) { ", SIGKILL" } else { "" };
        let begin = text.trim_end_matches('.');
        text = format!("{begin} (rc {rc}{killed})").trim_start().to_owned();
    }
    let last = last.map(in_one_line).unwrap_or_default();
    if !text.contains(&last) {
        text = format!("{}: {last}", text.trim_end_matches('.'));
    }
    text
}

/// Joins lines into one, without terminal control sequences, and without what ssh says about every new host.
fn in_one_line(text: &str) -> String {
    let mut line = String::new();
    for part in text.lines().map(plain) {
        let part = part.trim();
        if part.is_empty() || (part.starts_with(MET) && part.ends_with("to the list of known hosts.")) {
            continue;
        }
        if !line.is_empty() {
            let ends = line.ends_with(['.', ':', ';', ',', '!', '?']);
            line.push_str(if ends { " " } else { "; " });
        }
        // it may follow Ansible's own words
        match part.split_once(MET) {
            Some((before, met)) if met.ends_with("to the list of known hosts.") => line.push_str(before.trim_end()),
            _ => line.push_str(part),
        }
    }
    line
}

/// Removes colours and control characters.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char == '\u{1b}' && chars.clone().next() == Some('[') {
            chars.find(|char| matches!(char, '@'..='Z' | '\\'..='~'));
        } else if !char.is_control() {
            plain.push(char);
        }
    }
    plain
}

fn names_code(text: &str, rc: i64) -> bool {
    let words = ["rc ", "rc: ", "rc=", "code ", "code: ", "status "];
    words.iter().any(|word| text.contains(&format!("{word}{rc}")))
}

fn behind(cause: &FailureCause) -> String {
    let place = place(cause.file.as_deref(), cause.line);
    let said = said(&cause.message, cause.rc, last_line(&cause.stderr, &cause.stdout));
    format!(
        " (while it rescued the failure of task {:?}{place}: {said})",
        cause.task
    )
}

/// Cuts the middle out of a text that is too long; the end stays, because it often says what to do.
fn quoted(text: &str) -> String {
    let count = text.chars().count();
    if count <= MAX_QUOTED_CHARS {
        return text.to_owned();
    }
    let half = MAX_QUOTED_CHARS / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(count - half).collect();
    format!("{head} [...] {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(host: &str, kind: FailureKind) -> HostFailure {
        HostFailure {
            host: host.to_owned(),
            kind,
            task: "Deploy".to_owned(),
            ..HostFailure::default()
        }
    }

    #[test]
    fn the_first_failure_of_each_host_and_of_each_kind_is_kept_within_bounds() {
        let mut failures = Failures::default();
        for number in 0..MAX_FAILURES * 2 {
            failures.note(failure(&format!("gone{number}"), FailureKind::Unreachable));
        }
        for host in ["gone0", "bad", "worse"] {
            failures.note(failure(host, FailureKind::Failed));
        }
        assert_eq!(failures.all().len(), MAX_FAILURES);
        assert_eq!(
            failures
                .first(FailureKind::Unreachable)
                .map(|first| first.host.as_str()),
            Some("gone0")
        );
        assert_eq!(
            failures.first(FailureKind::Failed).map(|first| first.host.as_str()),
            Some("bad")
        );
        failures.forgive("bad");
        assert!(failures.first(FailureKind::Failed).is_none());
    }

    #[test]
    fn what_a_message_says_already_is_not_said_twice() {
        let mut failed = failure("web1", FailureKind::Failed);
        failed.message = "non-zero return code".to_owned();
        failed.rc = Some(3);
        failed.stderr = Some("no such file".to_owned());
        (failed.file, failed.line) = (Some("site.yml".to_owned()), Some(12));
        let text = r#"web1 in task "Deploy" (site.yml:12): non-zero return code (rc 3): no such file"#;
        assert_eq!(told(&failed), text);
        failed.message = "rc 3: no such file".to_owned();
        assert_eq!(
            told(&failed),
            r#"web1 in task "Deploy" (site.yml:12): rc 3: no such file"#
        );
    }

    #[test]
    fn a_long_message_keeps_its_end() {
        let mut failed = failure("web1", FailureKind::Failed);
        failed.message = format!("{}the cure", "x".repeat(100_000));
        let text = told(&failed);
        assert!(
            text.ends_with("the cure") && text.chars().count() < 3000,
            "{}",
            text.len()
        );
    }
}
