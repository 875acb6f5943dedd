//! The secrets with which a call shows who sends it.

use callboard_core::base::secret::Secret;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::credential::{
    AwsKeys, AwsRef, ClientCertificate, CloudRef, Credential, Provider, SecretError, Secrets, check_host,
};
use callboard_core::job::Job;
use callboard_http::Caller;
use callboard_identity::Tokens;
use callboard_kind_service::config::{Auth, AwsAuth, HttpConfig};

use crate::authorize::Authorizer;
use crate::oauth::{Oauth, Source};

/// What a call shows.
pub(crate) enum Proof {
    Nothing,
    Credential(Credential),
    Aws(AwsKeys),
}

impl Proof {
    /// Gets what the operation's `auth` names.
    pub(crate) async fn get(secrets: &dyn Secrets, job: &Job, config: &HttpConfig) -> Result<Self, SecretError> {
        match &config.auth {
            None => Ok(Self::Nothing),
            Some(Auth::AwsSigv4(aws)) => keys(secrets, job, aws).await.map(Self::Aws),
            Some(auth) => {
                let named = auth
                    .credential()
                    .ok_or_else(|| SecretError::new("No credential is named."))?;
                let credential = secrets.resolve(&job.tenant, named, auth.kinds()).await?;
                may_be_shown(&credential, &config.base_url)?;
                Ok(Self::Credential(credential))
            }
        }
    }

    /// Returns every secret in it.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Credential(credential) => credential.secrets().into_iter().cloned().collect(),
            Self::Aws(keys) => [&keys.secret_access_key]
                .into_iter()
                .chain(&keys.session_token)
                .cloned()
                .collect(),
        }
    }

    /// Returns the certificate that connections show.
    pub(crate) fn certificate(&self) -> Option<&ClientCertificate> {
        match self {
            Self::Credential(Credential::ClientCertificate(certificate)) => Some(certificate),
            _ => None,
        }
    }

    /// Returns what adds it to requests. A token that it needs is fetched by `caller`.
    ///
    /// # Errors
    /// Why requests cannot show it; holds nothing secret.
    pub(crate) async fn authorizer<'a>(
        &self,
        auth: Option<&'a Auth>,
        (caller, private): (&Caller, bool),
        tokens: &'a Tokens,
    ) -> Result<Authorizer<'a>, String> {
        match (auth, self) {
            (Some(Auth::AwsSigv4(aws)), Self::Aws(keys)) => Ok(Authorizer::Aws(aws, keys.clone())),
            (Some(Auth::Oauth2ClientCredentials(config)), Self::Credential(Credential::Password { password })) => {
                let source = Source {
                    config,
                    secret: password.clone(),
                    caller: caller.clone(),
                    private,
                };
                Oauth::new(source, tokens).await.map(Authorizer::Oauth)
            }
            (Some(auth), Self::Credential(credential)) => Authorizer::of(auth, credential),
            _ => Ok(Authorizer::Nothing),
        }
    }
}

async fn keys(secrets: &dyn Secrets, job: &Job, aws: &AwsAuth) -> Result<AwsKeys, SecretError> {
    let Some(credential) = &aws.credential else {
        return secrets.own_cloud().await;
    };
    let cloud = CloudRef::Aws(AwsRef {
        provider: Provider::Aws,
        credential: Some(credential.clone()),
        role_arn: None,
    });
    secrets
        .cloud(&job.tenant, &cloud, &format!("callboard-{}", job.id))
        .await
}

/// Checks that a credential may be shown to the host of an address, now.
fn may_be_shown(credential: &Credential, url: &str) -> Result<(), SecretError> {
    match credential {
        Credential::Bearer { hosts, .. } | Credential::Header { hosts, .. } => {
            check_host(hosts, url).map_err(SecretError::new)
        }
        Credential::ClientCertificate(certificate) => {
            check_host(&certificate.hosts, url).map_err(SecretError::new)?;
            let checked = certificate.check(SystemClock.now());
            checked.map_err(|unfit| SecretError::new(format!("The client certificate cannot be shown: {unfit}.")))
        }
        _ => Ok(()),
    }
}
