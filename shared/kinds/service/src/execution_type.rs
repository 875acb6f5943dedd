//! The ways in which a service is executed.

use std::fmt;

use callboard_core::request::Lane;
use serde::{Deserialize, Serialize};

/// How the operations of a service are executed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionType {
    /// A call over HTTP.
    #[default]
    Http,
    /// A program on the worker.
    Shell,
    /// A container.
    Container,
    /// A function of a cloud.
    Function,
}

impl ExecutionType {
    /// The words that a registry may use: each type's own, and those of other registries.
    pub(crate) const WORDS: [&'static str; 6] = ["http", "shell", "container", "function", "docker", "serverless"];

    /// Returns the type that one of these words denotes.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "shell" => Self::Shell,
            "container" | "docker" => Self::Container,
            "function" | "serverless" => Self::Function,
            _ => Self::Http,
        }
    }

    /// Returns the word that denotes the type everywhere, and the kind of its jobs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Shell => "shell",
            Self::Container => "container",
            Self::Function => "function",
        }
    }

    /// Returns which workers take the jobs: those that run programs, or those that wait for answers.
    pub(crate) fn lane(self) -> Lane {
        match self {
            Self::Http | Self::Function => Lane::Calls,
            Self::Shell | Self::Container => Lane::Programs,
        }
    }

    /// Returns the time limit of an operation that sets none, in seconds.
    #[must_use]
    pub fn default_timeout(self) -> u64 {
        match self {
            Self::Http => 300,
            Self::Shell => 600,
            Self::Container => 1800,
            Self::Function => 900,
        }
    }
}

impl fmt::Display for ExecutionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
