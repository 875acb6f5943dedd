//! The variables of a container, with the secrets among them.

use callboard_core::base::causes::causes;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{Credential, Secrets};
use callboard_core::job::Job;
use callboard_kind_service::config::{ContainerConfig, Variable};

/// The variables of a container.
#[derive(Default)]
pub(crate) struct Environment {
    /// Each as `NAME=value`.
    pub(crate) variables: Vec<Secret>,
    pub(crate) secrets: Vec<Secret>,
}

/// Makes the variables of a job.
///
/// # Errors
/// A secret cannot be obtained: a sentence that names it.
pub(crate) async fn resolve(secrets: &dyn Secrets, job: &Job, config: &ContainerConfig) -> Result<Environment, String> {
    let mut environment = Environment::default();
    for (name, variable) in &config.environment {
        let value = match variable {
            Variable::Text(text) => Secret::new(text.as_str()),
            Variable::Secret { credential } => {
                let found = secrets.resolve(&job.tenant, credential, Variable::SECRETS).await;
                let secret = in_variable(&found.map_err(|error| causes(&error).to_string())?, name)?;
                environment.secrets.push(secret.clone());
                secret
            }
        };
        let variable = format!("{name}={}", value.expose());
        environment.variables.push(Secret::new(variable));
    }
    Ok(environment)
}

fn in_variable(credential: &Credential, name: &str) -> Result<Secret, String> {
    let unfit = |what: &str| format!("The credential for the variable {name} {what}.");
    let secret = match credential {
        Credential::Password { password } => password,
        Credential::Bearer { token, hosts } if hosts.is_empty() => token,
        Credential::Bearer { .. } => {
            return Err(unfit(
                "may be sent to its hosts only, and a container could send it anywhere; name one without hosts",
            ));
        }
        _ => return Err(unfit("is neither a password nor a bearer token")),
    };
    if secret.expose().contains('\0') {
        return Err(unfit("holds NUL, which no variable can"));
    }
    Ok(secret.clone())
}
