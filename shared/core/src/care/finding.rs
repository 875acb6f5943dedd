//! The result of one check of an installation.

use serde::Serialize;

use crate::base::sentence::sentence;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong.
    Ok,
    /// Jobs run, but somebody should know about this.
    Warning,
    /// Something does not work, or data is lost.
    Fault,
}

impl Severity {
    /// Returns the word that is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// The result of a check.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was checked, in one word.
    pub check: &'static str,
    /// How serious it is.
    pub status: Severity,
    /// What was found, or what is wrong: a sentence.
    pub detail: String,
    /// What to do, if anything.
    pub remedy: Option<String>,
    /// The jobs or credentials that it is about.
    pub about: Vec<String>,
}

impl Finding {
    /// Makes a finding that nothing is wrong.
    #[must_use]
    pub fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            status: Severity::Ok,
            detail: detail.into(),
            remedy: None,
            about: Vec::new(),
        }
    }

    /// Makes a finding that somebody should know about.
    #[must_use]
    pub fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Severity::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(check, detail)
        }
    }

    /// Makes a finding that something does not work.
    #[must_use]
    pub fn fault(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Severity::Fault,
            ..Self::warning(check, detail, remedy)
        }
    }

    /// Makes a finding that something does not work, from an error that also says what to do.
    #[must_use]
    pub fn error(check: &'static str, error: impl std::fmt::Display) -> Self {
        Self {
            status: Severity::Fault,
            ..Self::ok(check, sentence(&error.to_string()))
        }
    }

    /// Sets the jobs or credentials that it is about.
    #[must_use]
    pub fn about(self, about: Vec<String>) -> Self {
        Self { about, ..self }
    }
}

/// Lists names, up to as many as can be read at a glance.
#[must_use]
pub fn some(names: &[String]) -> String {
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
