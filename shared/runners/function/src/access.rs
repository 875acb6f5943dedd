//! What shows a cloud who calls.

use callboard_core::base::causes::causes;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{
    AwsKeys, AwsRef, CloudRef, Credential, CredentialRef, Provider as Cloud, SecretError, Secrets,
};
use callboard_core::job::Job;
use callboard_http::{Caller, Client};
use callboard_identity::Tokens;
use callboard_kind_service::config::{FunctionConfig, Provider};

use crate::id_token::Source;
use crate::service_account::ServiceAccount;

/// What shows a cloud who calls.
pub(crate) enum Access {
    /// Keys of AWS.
    Aws(AwsKeys),
    /// An ID token of Google Cloud, and the secrets that it was obtained with.
    Google { token: Secret, others: Vec<Secret> },
}

impl Access {
    /// Returns every secret in it.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Aws(keys) => [&keys.secret_access_key]
                .into_iter()
                .chain(&keys.session_token)
                .cloned()
                .collect(),
            Self::Google { token, others } => [token].into_iter().chain(others).cloned().collect(),
        }
    }
}

/// Gives access to clouds.
pub(crate) struct Giver<'a> {
    pub(crate) secrets: &'a dyn Secrets,
    pub(crate) tokens: &'a Tokens,
    /// The client for the metadata server of Google Cloud, and its host.
    pub(crate) metadata: (&'a Client, &'a str),
    pub(crate) caller: &'a Caller,
    /// Whether private addresses may be asked.
    pub(crate) private: bool,
}

impl Giver<'_> {
    /// Gets what a function's configuration names, or what the worker has itself.
    ///
    /// # Errors
    /// Why it cannot be had; holds nothing secret.
    pub(crate) async fn access(&self, job: &Job, config: &FunctionConfig) -> Result<Access, String> {
        let told = |error: SecretError| causes(&error).to_string();
        let audience = config.audience.as_deref().unwrap_or(&config.function);
        match (config.provider, &config.credential) {
            (Provider::AwsLambda, None) => self.secrets.own_cloud().await.map(Access::Aws).map_err(told),
            (Provider::AwsLambda, Some(named)) => self.keys(job, named).await.map(Access::Aws).map_err(told),
            (Provider::GoogleCloudFunctions, None) => {
                let (client, host) = self.metadata;
                let token = Source::Metadata(client, host).token(audience, self.tokens).await?;
                let others = Vec::new();
                Ok(Access::Google { token, others })
            }
            (Provider::GoogleCloudFunctions, Some(named)) => {
                let found = self
                    .secrets
                    .resolve(&job.tenant, named, config.kinds())
                    .await
                    .map_err(told)?;
                self.of_account(&found, audience).await
            }
        }
    }

    async fn keys(&self, job: &Job, named: &CredentialRef) -> Result<AwsKeys, SecretError> {
        let cloud = CloudRef::Aws(AwsRef {
            provider: Cloud::Aws,
            credential: Some(named.clone()),
            role_arn: None,
        });
        self.secrets
            .cloud(&job.tenant, &cloud, &format!("callboard-{}", job.id))
            .await
    }

    async fn of_account(&self, credential: &Credential, audience: &str) -> Result<Access, String> {
        let Credential::Password { password } = credential else {
            return Err(format!(
                "a credential of kind {} holds no service account",
                credential.kind()
            ));
        };
        let account = ServiceAccount::parse(password.expose(), self.private)?;
        let token = Source::ServiceAccount(&account, self.caller)
            .token(audience, self.tokens)
            .await?;
        let others = vec![password.clone(), account.private_key];
        Ok(Access::Google { token, others })
    }
}
