//! The runner of calls over HTTP.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::credential::Secrets;
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_http::Caller;
use callboard_identity::Tokens;
use callboard_kind_service::attempt::{Attempt, unkept, unreadable};
use callboard_kind_service::config::{HttpConfig, RunnerConfig};
use callboard_kind_service::events::Events;
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::request::ServiceRequest;
use callboard_kind_service::security::Network;

use crate::authorize::Authorizer;
use crate::callers::Callers;
use crate::exchange::Exchange;
use crate::proof::Proof;
use crate::redaction::Redaction;
use crate::request::Prepared;

/// Calls services over HTTP. Calls share connections where they may reach the same, show the same certificate and wait equally long
/// for a connection, and tokens where they get them for the same client and scope.
pub struct HttpRunner {
    secrets: Arc<dyn Secrets>,
    callers: Callers,
    tokens: Tokens,
}

impl HttpRunner {
    /// Makes the runner.
    #[must_use]
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self {
            secrets,
            callers: Callers::default(),
            tokens: Tokens::default(),
        }
    }

    /// Gets what the call shows of who sends it, and what adds it to requests.
    async fn authorizer<'a>(
        &'a self,
        proof: &Proof,
        call: (&'a HttpConfig, Network),
        caller: &Caller,
        redaction: &Redaction,
    ) -> Result<Authorizer<'a>, Outcome> {
        let (config, network) = call;
        let private = network == Network::Private;
        let made = proof
            .authorizer(config.auth.as_ref(), (caller, private), &self.tokens)
            .await;
        let authorizer = made.map_err(|told| unavailable(&redaction.text(&told)))?;
        if let Authorizer::Oauth(oauth) = &authorizer {
            redaction.add(oauth.token()).map_err(|error| broken(&error))?;
        }
        Ok(authorizer)
    }

    async fn call(&self, job: &Job, work: Object, output: &Output) -> Result<Ended, Outcome> {
        let request = ServiceRequest::of_work(work).map_err(|error| unreadable(&error.to_string()))?;
        let RunnerConfig::Http(config) = &request.call.runner_config else {
            return Err(unreadable("it is not a call over HTTP"));
        };
        let proof = Proof::get(&*self.secrets, job, config).await;
        let proof = proof.map_err(|error| unavailable(&causes(&error).to_string()))?;
        let redaction = Redaction::new(proof.secrets()).map_err(|error| broken(&error))?;
        let prepared = Prepared::new(config, &request.input, job.id)
            .map_err(|told| Outcome::failed(Reason::REQUEST_INVALID, redaction.text(&told)))?;
        let network = request.call.security_policy.network;
        let caller = self.callers.get(network, config.connect_timeout, proof.certificate());
        let caller = caller.map_err(|error| broken(&error))?;
        let authorizer = self.authorizer(&proof, (config, network), &caller, &redaction).await?;
        let exchange = Exchange {
            caller: &caller,
            config,
            prepared: &prepared,
            authorizer: &authorizer,
            redaction: &redaction,
            output,
            events: Events::new(output),
            begun: AtomicBool::new(false),
        };
        let attempt = Attempt {
            call: &request.call,
            what: "service",
            called: redaction.text(&format!("{} {}", prepared.method, prepared.url)),
            retries: job.retries(),
            output,
            events: &exchange.events,
        };
        // on the heap once, not in each of the futures that it is handed to
        let trying = Box::pin(exchange.run(&request.call));
        let ended = attempt.run(|text| redaction.text(text), trying).await;
        ended.map_err(|error| unkept(&error))
    }
}

fn broken(error: &dyn Error) -> Outcome {
    Outcome::failed(Reason::RUNNER_ERROR, causes(error).to_string())
}

fn unavailable(told: &str) -> Outcome {
    Outcome::failed(Reason::CREDENTIAL_UNAVAILABLE, sentence(told))
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
