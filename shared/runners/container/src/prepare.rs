//! Gets what a container is made of: the engine, the secrets, the image and the arguments.

use std::sync::Arc;

use callboard_core::base::causes::causes;
use callboard_core::credential::Secrets;
use callboard_core::job::{Job, Outcome};
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_kind_service::config::ContainerConfig;
use callboard_kind_service::template::{arguments, line};
use serde_json::{Map, Value};

use crate::engine::{Connected, Engine};
use crate::environment::{Environment, resolve};
use crate::image::{Image, find};

/// How much of what is called is shown, in characters.
const MAX_CALLED_CHARS: usize = 2000;

/// What a container is made of, once all of it is there.
pub(crate) struct Prepared {
    pub(crate) engine: Connected,
    pub(crate) image: Image,
    pub(crate) environment: Environment,
    pub(crate) redactor: Arc<Redactor>,
    /// What runs instead of the image's entry point, unless it is empty.
    pub(crate) command: Vec<String>,
    pub(crate) args: Vec<String>,
    /// What the container gets on its standard input, if it gets anything.
    pub(crate) stdin: Option<Vec<u8>>,
}

impl Prepared {
    /// Gets it.
    ///
    /// # Errors
    /// The outcome of the job that cannot begin.
    pub(crate) async fn new(
        engine: &Engine,
        secrets: &dyn Secrets,
        job: &Job,
        config: &ContainerConfig,
        input: &Map<String, Value>,
    ) -> Result<Self, Outcome> {
        let broken = |error: String| Outcome::failed(Reason::RUNNER_ERROR, error);
        let environment = resolve(secrets, job, config).await;
        let environment = environment.map_err(|told| Outcome::failed(Reason::CREDENTIAL_UNAVAILABLE, told))?;
        let redactor = Redactor::new(&environment.secrets).map_err(|error| broken(causes(&error).to_string()))?;
        let values = Value::Object(input.clone());
        let invalid = |told: String| Outcome::failed(Reason::REQUEST_INVALID, told);
        let command = arguments(&config.command, &values).map_err(invalid)?;
        let args = arguments(&config.args, &values).map_err(invalid)?;
        let stdin = config.stdin.then(|| serde_json::to_vec(input)).transpose();
        let engine = engine.connected().await.map_err(broken)?;
        let image = find(&engine.docker, config).await;
        let image = image.map_err(|told| Outcome::failed(Reason::SOURCE_UNAVAILABLE, redactor.text(&told)))?;
        Ok(Self {
            engine,
            image,
            environment,
            redactor: Arc::new(redactor),
            command,
            args,
            stdin: stdin.map_err(|error| broken(error.to_string()))?,
        })
    }

    /// Returns what is called, for people.
    pub(crate) fn called(&self) -> String {
        let called = line(self.image.named.clone(), self.command.iter().chain(&self.args));
        self.redactor.text(&called).chars().take(MAX_CALLED_CHARS).collect()
    }
}
