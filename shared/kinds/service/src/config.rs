//! How an operation is executed: `runner_config`, by execution type.
//!
//! The service's own holds for all its operations; an operation's adds to it, field by field.

mod answer;
mod auth;
mod container;
mod function;
mod headers;
mod http;
mod places;
mod schemes;
mod shell;
mod variables;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::credential::{CredentialKind, CredentialRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::answer::{Poll, Success};
pub use self::auth::Auth;
pub use self::container::{ContainerConfig, repository};
pub use self::function::{FunctionConfig, Provider};
pub use self::headers::is_own_header;
pub use self::http::{Body, HttpConfig};
pub(crate) use self::places::merge;
pub use self::schemes::{AwsAuth, ClientAuth, HmacAlgorithm, HmacAuth, OauthAuth};
pub use self::shell::{Argument, OutputFormat, ShellConfig};
pub use self::variables::Variable;
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
            ExecutionType::Http => HttpConfig::read(fields, policy, faults).map(|config| Self::Http(Box::new(config))),
            ExecutionType::Shell => ShellConfig::read(fields, policy, faults).map(Self::Shell),
            ExecutionType::Container => ContainerConfig::read(fields, policy, faults).map(Self::Container),
            ExecutionType::Function => FunctionConfig::read(fields, faults).map(Self::Function),
        }
    }

    /// Returns the secrets that it names, each with the kinds of credentials that it may be.
    pub(crate) fn secrets(&self) -> Vec<(&CredentialRef, &'static [CredentialKind])> {
        let environment = match self {
            Self::Http(config) => {
                let auth = config.auth.iter();
                return auth
                    .filter_map(|auth| Some((auth.credential()?, auth.kinds())))
                    .collect();
            }
            Self::Function(config) => {
                let credential = config.credential.iter();
                return credential.map(|credential| (credential, config.kinds())).collect();
            }
            Self::Shell(config) => &config.environment,
            Self::Container(config) => &config.environment,
        };
        let secrets = environment.values().filter_map(|variable| match variable {
            Variable::Secret { credential } => Some((credential, Variable::SECRETS)),
            Variable::Text(_) => None,
        });
        secrets.collect()
    }

    /// Adds a fault for each field of an input that does not fit into the call.
    pub(crate) fn check_input(&self, input: &Map<String, Value>, faults: &mut Faults) {
        if let Self::Http(config) = self {
            config.check_input(input, faults);
        }
    }

    /// Returns the way of execution.
    #[must_use]
    pub fn execution_type(&self) -> ExecutionType {
        match self {
            Self::Http(_) => ExecutionType::Http,
            Self::Shell(_) => ExecutionType::Shell,
            Self::Container(_) => ExecutionType::Container,
            Self::Function(_) => ExecutionType::Function,
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

#[cfg(test)]
mod tests;
