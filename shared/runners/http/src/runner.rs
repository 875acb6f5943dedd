//! The runner of calls over HTTP.

use std::collections::HashMap;
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

use crate::request::Prepared;
use crate::tries::Tries;

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

    async fn call(&self, job: &Job, work: Object, output: &Output) -> Outcome {
        let unknown = |why: &str| {
            let error = format!("A newer release accepted this job, and this one cannot run it: {why}.");
            Outcome::failed(Reason::RUNNER_ERROR, error)
        };
        let request = match ServiceRequest::of_work(work) {
            Ok(request) => request,
            Err(error) => return unknown(&error.to_string()),
        };
        let RunnerConfig::Http(config) = &request.call.runner_config else {
            return unknown("it is not a call over HTTP");
        };
        let credential = match self.credential(job, config).await {
            Ok(credential) => credential,
            Err(outcome) => return outcome,
        };
        let secrets = credential
            .iter()
            .flat_map(Credential::secrets)
            .cloned()
            .collect::<Vec<_>>();
        let redactor = match Redactor::new(&secrets) {
            Ok(redactor) => Arc::new(redactor),
            Err(error) => return Outcome::failed(Reason::RUNNER_ERROR, causes(&error).to_string()),
        };
        let prepared = match Prepared::new(config, &request.input, job.id, credential.as_ref()) {
            Ok(prepared) => prepared,
            Err(told) => return Outcome::failed(Reason::REQUEST_INVALID, redactor.text(&told)),
        };
        let caller = match self.caller(config, request.call.security_policy.network) {
            Ok(caller) => caller,
            Err(error) => return Outcome::failed(Reason::RUNNER_ERROR, causes(&error).to_string()),
        };
        let mut tries = Tries {
            caller: &caller,
            call: &request.call,
            config,
            prepared: &prepared,
            redactor: &redactor,
            output,
            events: 0,
        };
        match tries.run().await {
            Ok(outcome) => outcome,
            Err(error) => {
                let error = format!("The output could not be kept: {}.", causes(error.cause()));
                Outcome::failed(Reason::RUNNER_ERROR, error)
            }
        }
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
            outcome = self.call(job, work, output) => Ended::with(outcome),
            () = stop.requested() => Ended {
                stopped: true,
                doing: Some("The call was broken off; what the service has done of it is not known.".to_owned()),
                ..Ended::with(Outcome::failed(Reason::RUNNER_ERROR, "The call was broken off."))
            },
        }
    }
}
