//! Turns what ansible-galaxy says when it fails into one sentence.

/// Part of an error that only says that there was a warning.
const ADVICE: &str = "--ignore-errors";
/// Lines that begin with these, and what follows them, do not give the reason.
const ASIDES: [&str; 4] = ["Hint:", "<<< caused by", "[RequirementInformation", "Traceback"];
/// The beginnings of ansible-galaxy's messages.
const MARKS: [&str; 4] = ["[ERROR]:", "ERROR!", "[WARNING]:", " - "];
const MAX_WORDS: usize = 600;

/// Returns what ansible-galaxy said was wrong, on one line: its error, or else its first warning, without its advice.
pub(super) fn words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).collect();
    let begins = |marks: &[&str]| {
        let reason = |line: &&str| marks.iter().any(|mark| line.starts_with(mark)) && !line.contains(ADVICE);
        lines.iter().position(reason)
    };
    let first = begins(&["[ERROR]", "ERROR!"]).or_else(|| begins(&["[WARNING]"]));
    let told = lines[first.unwrap_or(0)..].iter().skip_while(|line| line.is_empty());
    let told = told.take_while(|line| !line.is_empty() && !ASIDES.iter().any(|aside| line.starts_with(aside)));
    let told: Vec<&str> = told.copied().collect();
    let text: String = told
        .join(" ")
        .chars()
        .filter(|char| !char.is_control())
        .take(MAX_WORDS)
        .collect();
    let text = MARKS
        .iter()
        .fold(text.as_str(), |text, mark| text.trim_start_matches(mark));
    match text.trim().trim_end_matches('.') {
        "" => "ansible-galaxy gave no reason.".to_owned(),
        text => format!("{text}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ansible_galaxy_says_is_told_without_what_surrounds_it() {
        for (said, told) in [
            (
                "[WARNING]: Skipping it.\n[ERROR]: It is\n  not there.\n\n<<< caused by >>>\n\nx\n",
                "It is not there.",
            ),
            (
                "[ERROR]: No such thing:\n* a.b:1\nHint: wait\n",
                "No such thing: * a.b:1.",
            ),
            (
                "[DEPRECATION WARNING]: old\n[WARNING]: - x was NOT installed: y\nfatal: z\n\n[ERROR]: - you can use --ignore-errors\n",
                "x was NOT installed: y fatal: z.",
            ),
            ("\nOSError: full", "OSError: full."),
            ("\n", "ansible-galaxy gave no reason."),
        ] {
            assert_eq!(words(said), told);
        }
    }
}
