//! The result of one check.

use callboard_core::base::sentence::sentence;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    /// Nothing is wrong.
    Ok,
    /// Jobs run, but somebody should know about this.
    Warning,
    /// Something does not work, or data is lost.
    Fault,
}

impl Status {
    /// Returns the word that is printed.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// The result of a check.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// What was checked, in one word.
    pub(super) check: &'static str,
    /// How serious it is.
    pub(super) status: Status,
    /// What was found, or what is wrong: a sentence.
    pub(super) detail: String,
    /// What to do, if anything.
    pub(super) remedy: Option<String>,
    /// The jobs or credentials that it is about.
    pub(super) about: Vec<String>,
}

impl Finding {
    /// Makes a finding that nothing is wrong.
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            status: Status::Ok,
            detail: detail.into(),
            remedy: None,
            about: Vec::new(),
        }
    }

    /// Makes a finding that somebody should know about.
    pub(super) fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Status::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(check, detail)
        }
    }

    /// Makes a finding that something does not work.
    pub(super) fn fault(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Status::Fault,
            ..Self::warning(check, detail, remedy)
        }
    }

    /// Makes a finding that something does not work, from an error that also says what to do.
    pub(super) fn error(check: &'static str, error: impl std::fmt::Display) -> Self {
        Self {
            status: Status::Fault,
            ..Self::ok(check, sentence(&error.to_string()))
        }
    }

    /// Sets the jobs or credentials that it is about.
    pub(super) fn about(self, about: Vec<String>) -> Self {
        Self { about, ..self }
    }
}

/// Lists names, up to as many as can be read at a glance.
pub(super) fn some(names: &[String]) -> String {
    const MOST: usize = 10;
    let shown = names
        .iter()
        .take(MOST)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
