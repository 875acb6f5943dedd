//! How an operation is executed: `runner_config`, by execution type.
//!
//! The service's own holds for all its operations; an operation's adds to it, field by field.

mod container;
mod function;
mod http;
mod places;
mod shell;

use callboard_core::base::fields::{Faults, Fields};
use serde::{Deserialize, Serialize};

pub use self::container::ContainerConfig;
pub use self::function::{FunctionConfig, Provider};
pub use self::http::{Auth, Body, HttpConfig, Poll, Success};
pub(crate) use self::places::merge;
pub use self::shell::{Argument, OutputFormat, ShellConfig, Variable};
use crate::execution_type::ExecutionType;
use crate::security::SecurityPolicy;

/// How one operation is executed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "execution_type", rename_all = "snake_case")]
pub enum RunnerConfig {
    /// By a call over HTTP.
    Http(Box<HttpConfig>),
    /// By a program on the worker.
    Shell(ShellConfig),
    /// By a container.
    Container(ContainerConfig),
    /// By a function of a cloud.
    Function(FunctionConfig),
}

impl RunnerConfig {
    /// Reads the merged configuration of an operation.
    pub(crate) fn read(
        fields: &mut Fields<'_>,
        kind: ExecutionType,
        policy: &SecurityPolicy,
        faults: &mut Faults,
    ) -> Option<Self> {
        match kind {
            ExecutionType::Http => HttpConfig::read(fields, faults).map(|config| Self::Http(Box::new(config))),
            ExecutionType::Shell => ShellConfig::read(fields, policy, faults).map(Self::Shell),
            ExecutionType::Container => ContainerConfig::read(fields, policy, faults).map(Self::Container),
            ExecutionType::Function => FunctionConfig::read(fields, faults).map(Self::Function),
        }
    }

    /// Returns the fields of the input that it names.
    pub fn input_fields(&self) -> Vec<&str> {
        match self {
            Self::Http(config) => config.input_fields(),
            Self::Shell(config) => config.input_fields(),
            Self::Container(config) => config.input_fields(),
            Self::Function(_) => Vec::new(),
        }
    }
}
