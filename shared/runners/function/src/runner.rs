//! The runner of calls of functions.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::causes::causes;
use callboard_core::base::object::Object;
use callboard_core::base::sentence::sentence;
use callboard_core::credential::Secrets;
use callboard_core::job::{Job, Outcome};
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_http::{Caller, Client, FetchError, Guard};
use callboard_identity::Tokens;
use callboard_kind_service::attempt::{Attempt, Tried, unkept, unreadable};
use callboard_kind_service::config::{FunctionConfig, RunnerConfig};
use callboard_kind_service::events::Events;
use callboard_kind_service::execution_type::ExecutionType;
use callboard_kind_service::request::ServiceRequest;
use callboard_kind_service::security::Network;

use crate::access::{Access, Giver};
use crate::google;
use crate::id_token::LIMITS;
use crate::invocation::Invocation;
use crate::lambda::{self, Lambda};
use crate::settings::Settings;
use crate::verdict::Untried;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Calls functions of clouds. Calls share connections, and the ID tokens that they need.
pub struct FunctionRunner {
    secrets: Arc<dyn Secrets>,
    settings: Settings,
    tokens: Tokens,
    public: Caller,
    private: Caller,
    metadata: Client,
}

impl FunctionRunner {
    /// Makes the runner.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(secrets: Arc<dyn Secrets>, settings: Settings) -> Result<Self, FetchError> {
        Ok(Self {
            secrets,
            settings,
            tokens: Tokens::default(),
            public: Caller::new(Guard::public(), CONNECT_TIMEOUT)?,
            private: Caller::new(Guard::allowing(|_host| true), CONNECT_TIMEOUT)?,
            metadata: Client::metadata(LIMITS)?,
        })
    }

    async fn call(&self, job: &Job, work: Object, output: &Output) -> Result<Ended, Outcome> {
        let request = ServiceRequest::of_work(work).map_err(|error| unreadable(&error.to_string()))?;
        let RunnerConfig::Function(config) = &request.call.runner_config else {
            return Err(unreadable("it is not a call of a function"));
        };
        let private = request.call.security_policy.network == Network::Private;
        let caller = if private { &self.private } else { &self.public };
        let access = self.access(job, config, (caller, private)).await?;
        let redactor = Redactor::new(&access.secrets()).map_err(|error| broken(&error))?;
        let redactor = Arc::new(redactor);
        let invocation = Invocation {
            job: job.id,
            input: &request.input,
            schema: request.call.output_schema.as_ref(),
            limit: Duration::from_secs(request.call.timeout),
            caller,
            redactor: &redactor,
            output,
        };
        let events = Events::new(output);
        let attempt = Attempt {
            call: &request.call,
            what: "function",
            called: redactor.text(&lambda::name(config)),
            retries: job.retries(),
            output,
            events: &events,
        };
        // on the heap once, not in each of the futures that it is handed to
        let trying = Box::pin(async { self.invoke(config, &access, &invocation).await.or_else(Untried::tried) });
        let ended = attempt.run(|text| redactor.text(text), trying).await;
        ended.map_err(|error| unkept(&error))
    }

    async fn access(
        &self,
        job: &Job,
        config: &FunctionConfig,
        (caller, private): (&Caller, bool),
    ) -> Result<Access, Outcome> {
        let giver = Giver {
            secrets: &*self.secrets,
            tokens: &self.tokens,
            metadata: (&self.metadata, &self.settings.metadata_host),
            caller,
            private,
        };
        let access = giver.access(job, config).await;
        access.map_err(|told| Outcome::failed(Reason::CREDENTIAL_UNAVAILABLE, sentence(&told)))
    }

    async fn invoke(
        &self,
        config: &FunctionConfig,
        access: &Access,
        invocation: &Invocation<'_>,
    ) -> Result<Tried, Untried> {
        match access {
            Access::Aws(keys) => {
                let endpoints = &self.settings.endpoints;
                let lambda = Lambda {
                    config,
                    keys,
                    endpoints,
                };
                lambda.call(invocation).await
            }
            Access::Google { token, .. } => google::call(config, token, invocation).await,
        }
    }
}

fn broken(error: &dyn Error) -> Outcome {
    Outcome::failed(Reason::RUNNER_ERROR, causes(error).to_string())
}

#[async_trait]
impl Runner for FunctionRunner {
    fn kind(&self) -> &'static str {
        ExecutionType::Function.as_str()
    }

    /// A call that is stopped is broken off. The function goes on: no cloud takes an invocation back.
    async fn run(&self, job: &Job, work: Object, output: &Output, mut stop: Stop) -> Ended {
        tokio::select! {
            ended = self.call(job, work, output) => ended.unwrap_or_else(Ended::with),
            () = stop.requested() => Ended {
                stopped: true,
                doing: Some(
                    "The call was broken off; a function that has begun goes on to its end, which no cloud can prevent.".to_owned(),
                ),
                ..Ended::with(Outcome::failed(Reason::RUNNER_ERROR, "The call was broken off."))
            },
        }
    }
}
