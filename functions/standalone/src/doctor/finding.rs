//! What was found of one thing.

use callboard_core::base::sentence::sentence;

/// How it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    /// Nothing is wrong.
    Ok,
    /// Jobs run, and somebody should know.
    Warning,
    /// Something does not work, or is lost.
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

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// What was looked at, in a word.
    pub(super) check: &'static str,
    /// How it stands.
    pub(super) status: Status,
    /// What it is, or what is wrong: a sentence.
    pub(super) detail: String,
    /// What to do, where there is something to do.
    pub(super) remedy: Option<String>,
    /// The jobs or credentials that it is about.
    pub(super) about: Vec<String>,
}

impl Finding {
    /// Finds nothing wrong.
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            status: Status::Ok,
            detail: detail.into(),
            remedy: None,
            about: Vec::new(),
        }
    }

    /// Finds something that somebody should know.
    pub(super) fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Status::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(check, detail)
        }
    }

    /// Finds something that does not work.
    pub(super) fn fault(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Status::Fault,
            ..Self::warning(check, detail, remedy)
        }
    }

    /// Finds something that does not work, and whose error says what to do.
    pub(super) fn error(check: &'static str, error: impl std::fmt::Display) -> Self {
        Self {
            status: Status::Fault,
            ..Self::ok(check, sentence(&error.to_string()))
        }
    }

    /// Names what it is about.
    pub(super) fn about(self, about: Vec<String>) -> Self {
        Self { about, ..self }
    }
}

/// Lists names, as many as can be read at a glance.
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
