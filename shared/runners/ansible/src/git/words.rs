//! What git says when it fails, and what that means here.

/// How many characters of git's own words an error repeats.
const MAX_WORDS: usize = 400;
/// What git says when the server refuses it, and what that means here.
const REFUSALS: [(&str, &str); 6] = [
    (
        "terminal prompts disabled",
        "the server asks for a login; name a git_credential",
    ),
    ("Authentication failed", "the server does not accept the git_credential"),
    (
        "returned error: 403",
        "the server does not let this git_credential read it",
    ),
    (
        "Permission denied",
        "the server does not accept the git_credential's key",
    ),
    (
        "Host key verification failed",
        "the server's host key is not known; add known_hosts to the git_credential or to the policy",
    ),
    (
        "returned error: 30",
        "the server redirects to another address; name that one",
    ),
];

/// Returns what a refusal means, if that is known.
pub(super) fn hint(stderr: &str) -> Option<&'static str> {
    REFUSALS
        .iter()
        .find(|(said, _)| stderr.contains(said))
        .map(|(_, hint)| *hint)
}

/// Returns what git said, on one line: its errors, and what the server said, without the hints.
pub(super) fn words(stderr: &str) -> String {
    let told = stderr.lines().map(str::trim);
    let mut lines: Vec<&str> = told.clone().filter(|line| is_error(line)).collect();
    if lines.is_empty() {
        lines = told.filter(|line| !line.is_empty()).collect();
    }
    let text: String = lines
        .join(" ")
        .chars()
        .filter(|char| !char.is_control())
        .take(MAX_WORDS)
        .collect();
    let text = text.trim_end_matches('.');
    if text.is_empty() {
        "git gave no reason.".to_owned()
    } else {
        format!("{text}.")
    }
}

fn is_error(line: &str) -> bool {
    ["fatal:", "error:", "remote:"]
        .iter()
        .any(|start| line.starts_with(start))
        || line.contains("Permission denied")
        || line.contains("Host key verification")
}
