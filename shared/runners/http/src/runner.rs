//! The runner of calls over HTTP.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::credential::{Credential, SecretError, Secrets, check_host};
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_http::{Caller, FetchError, Guard};
use callboard_kind_service::config::{HttpConfig, RunnerConfig};
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::request::ServiceRequest;
use callboard_kind_service::security::Network;

use crate::attempt::Attempt;
use crate::request::Prepared;

/// Calls services over HTTP. Calls that may reach the same and wait equally long for a connection share their connections.
pub struct HttpRunner {
    secrets: Arc<dyn Secrets>,
    callers: Mutex<HashMap<(bool, u64), Caller>>,
}

impl HttpRunner {
    /// Makes the runner.
    #[must_use]
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self {
            secrets,
            callers: Mutex::default(),
        }
    }

    fn caller(&self, config: &HttpConfig, network: Network) -> Result<Caller, FetchError> {
        let private = network == Network::Private;
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = callers.get(&(private, config.connect_timeout)) {
            return Ok(caller.clone());
        }
        let guard = if private {
            Guard::allowing(|_host| true)
        } else {
            Guard::public()
        };
        let caller = Caller::new(guard, Duration::from_secs(config.connect_timeout))?;
        callers.insert((private, config.connect_timeout), caller.clone());
        Ok(caller)
    }

    async fn credential(&self, job: &Job, config: &HttpConfig) -> Result<Option<Credential>, Outcome> {
        let Some(auth) = &config.auth else { return Ok(None) };
        let found = self
            .secrets
            .resolve(&job.tenant, &auth.credential, auth.kinds())
            .await
            .and_then(|credential| may_be_sent(credential, &config.base_url));
        found
            .map(Some)
            .map_err(|error| Outcome::failed(Reason::CREDENTIAL_UNAVAILABLE, causes(&error).to_string()))
    }

    async fn call(&self, job: &Job, work: Object, output: &Output) -> Result<Ended, Outcome> {
        let unknown = |why: &str| {
            let error = format!("A newer release accepted this job, and this one cannot run it: {why}.");
            Outcome::failed(Reason::RUNNER_ERROR, error)
        };
        let request = ServiceRequest::of_work(work).map_err(|error| unknown(&error.to_string()))?;
        let RunnerConfig::Http(config) = &request.call.runner_config else {
            return Err(unknown("it is not a call over HTTP"));
        };
        let broken = |error: &dyn Error| Outcome::failed(Reason::RUNNER_ERROR, causes(error).to_string());
        let credential = self.credential(job, config).await?;
        let secrets = credential.iter().flat_map(Credential::secrets).cloned();
        let redactor = Redactor::new(&secrets.collect::<Vec<_>>()).map_err(|error| broken(&error))?;
        let redactor = Arc::new(redactor);
        let prepared = Prepared::new(config, &request.input, job.id, credential.as_ref())
            .map_err(|told| Outcome::failed(Reason::REQUEST_INVALID, redactor.text(&told)))?;
        let network = request.call.security_policy.network;
        let caller = self.caller(config, network).map_err(|error| broken(&error))?;
        let mut attempt = Attempt {
            caller: &caller,
            call: &request.call,
            config,
            prepared: &prepared,
            redactor: &redactor,
            output,
            retries: job.retries(),
            events: 0,
        };
        attempt.run().await.map_err(|error| {
            let error = format!("The output could not be kept: {}.", causes(error.cause()));
            Outcome::failed(Reason::RUNNER_ERROR, error)
        })
    }
}

/// Checks that a credential may be sent to the host of an address.
fn may_be_sent(credential: Credential, url: &str) -> Result<Credential, SecretError> {
    if let Credential::Bearer { hosts, .. } | Credential::Header { hosts, .. } = &credential {
        check_host(hosts, url).map_err(SecretError::new)?;
    }
    Ok(credential)
}

#[async_trait]
impl Runner for HttpRunner {
    fn kind(&self) -> &'static str {
        ExecutionType::Http.as_str()
    }

    /// A call that is stopped is broken off. What the service has done of it by then is not known.
    async fn run(&self, job: &Job, work: Object, output: &Output, mut stop: Stop) -> Ended {
        tokio::select! {
            ended = self.call(job, work, output) => ended.unwrap_or_else(Ended::with),
            () = stop.requested() => Ended {
                stopped: true,
                doing: Some("The call was broken off; what the service has done of it is not known.".to_owned()),
                ..Ended::with(Outcome::failed(Reason::RUNNER_ERROR, "The call was broken off."))
            },
        }
    }
}
