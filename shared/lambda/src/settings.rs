//! The settings that the template passes to a function as environment variables.

use std::time::Duration;

use anyhow::{Context, anyhow};
use callboard_api::Origin;
use callboard_kind_service::registry::{Registry, RegistryFault};
use callboard_policy::{Issuer, Policies};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The settings of a function. Each field is read from the variable that its comment names.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `CALLBOARD_TABLE`: the table of jobs.
    pub table: String,
    /// `CALLBOARD_QUEUE_URL`: the queue of jobs that run programs.
    pub queue_url: String,
    /// `CALLBOARD_CALLS_URL`: the queue of jobs that call something and wait for its answer.
    pub calls_url: String,
    /// `CALLBOARD_BUCKET`: the bucket for output, and for values too large for the table.
    pub bucket: String,
    /// `CALLBOARD_RETENTION_DAYS`: how long jobs are kept; 30 days by default.
    pub retention: Duration,
    /// `CALLBOARD_AUDIT_RETENTION`: how long entries of the audit log are kept, in days; 400 by default.
    pub audit_retention: Duration,
    /// `CALLBOARD_SYNC_WAIT`: how long `?sync=true` waits for a job's end, in seconds; 25 by default.
    pub sync_wait: Duration,
    /// `CALLBOARD_MAX_QUEUED`: how many jobs may be waiting when another one is submitted; 10,000 by default.
    pub max_queued: u32,
    /// `CALLBOARD_SECRETS_PREFIX`: the prefix of the names of credentials in Secrets Manager.
    pub secrets_prefix: String,
    /// `CALLBOARD_POLICY`: what requests may reach, in YAML; nothing by default. `CALLBOARD_OIDC_ISSUER`, `CALLBOARD_OIDC_AUDIENCE`,
    /// `CALLBOARD_OIDC_SUBJECT` and `CALLBOARD_OIDC_SCOPES` let in who shows a token.
    pub policies: Policies,
    /// `CALLBOARD_SERVICES` or `CALLBOARD_SERVICES_KEY`: the services that jobs may call; none by default.
    pub services: ServicesFrom,
    /// `CALLBOARD_ALLOWED_ORIGINS`: the origins whose web pages may send requests, separated by commas; by default only the API's own.
    pub origins: Vec<Origin>,
    /// `CALLBOARD_AUTHORIZATION`: how it is found out who sends a request.
    pub authorization: Authorization,
    /// `CALLBOARD_ANSWERS`: how responses are sent; whole by default.
    pub answers: Answers,
}

/// Where the registry of services is.
#[derive(Clone, Debug)]
pub enum ServicesFrom {
    /// In the variable `CALLBOARD_SERVICES`, in YAML.
    Variable(Registry),
    /// In the object of the bucket with this key, as the variable `CALLBOARD_SERVICES_KEY` says.
    Object(String),
}

impl Settings {
    /// Reads the variables.
    ///
    /// # Errors
    /// A variable is missing or cannot be read; the error names it.
    pub fn from_env() -> anyhow::Result<Self> {
        Ok(Self {
            table: required("CALLBOARD_TABLE")?,
            queue_url: required("CALLBOARD_QUEUE_URL")?,
            calls_url: required("CALLBOARD_CALLS_URL")?,
            bucket: required("CALLBOARD_BUCKET")?,
            retention: DAY * number("CALLBOARD_RETENTION_DAYS", 30)?,
            audit_retention: DAY * number("CALLBOARD_AUDIT_RETENTION", 400)?,
            sync_wait: Duration::from_secs(number("CALLBOARD_SYNC_WAIT", 25)?.into()),
            max_queued: number("CALLBOARD_MAX_QUEUED", 10_000)?,
            secrets_prefix: required("CALLBOARD_SECRETS_PREFIX")?,
            policies: policies()?,
            services: services()?,
            origins: origins()?,
            authorization: authorization()?,
            answers: answers()?,
        })
    }
}

/// How it is found out who sends a request over HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authorization {
    /// API Gateway asks IAM.
    Iam,
    /// By API keys and tokens.
    Callboard,
    /// Not at all: `sam local` and tests, in which nobody can sign requests.
    Local,
}

/// How a function sends its responses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answers {
    /// Whole, when all of one is there.
    Whole,
    /// As they come.
    Streamed,
}

fn answers() -> anyhow::Result<Answers> {
    match std::env::var("CALLBOARD_ANSWERS").unwrap_or_default().as_str() {
        "" | "whole" => Ok(Answers::Whole),
        "stream" => Ok(Answers::Streamed),
        other => anyhow::bail!("the variable CALLBOARD_ANSWERS must be whole or stream, not {other:?}"),
    }
}

fn authorization() -> anyhow::Result<Authorization> {
    let text = std::env::var("CALLBOARD_AUTHORIZATION").unwrap_or_default();
    let is_local = std::env::var("AWS_SAM_LOCAL").is_ok_and(|local| local == "true");
    match text.as_str() {
        "" | "AWS_IAM" if is_local => Ok(Authorization::Local),
        "" | "AWS_IAM" => Ok(Authorization::Iam),
        "CALLBOARD" => Ok(Authorization::Callboard),
        "LOCAL" => Ok(Authorization::Local),
        other => anyhow::bail!("the variable CALLBOARD_AUTHORIZATION must be AWS_IAM or CALLBOARD, not {other:?}"),
    }
}

fn origins() -> anyhow::Result<Vec<Origin>> {
    let text = std::env::var("CALLBOARD_ALLOWED_ORIGINS").unwrap_or_default();
    let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let read = |origin: &str| {
        let parsed = origin.parse();
        parsed.with_context(|| format!("the variable CALLBOARD_ALLOWED_ORIGINS holds {origin:?}"))
    };
    origins.map(read).collect()
}

fn policies() -> anyhow::Result<Policies> {
    let text = std::env::var("CALLBOARD_POLICY").unwrap_or_default();
    let policies = callboard_policy::parse(&text).context("the variable CALLBOARD_POLICY is not a valid policy")?;
    let variable = |name: &str| std::env::var(format!("CALLBOARD_OIDC_{name}")).unwrap_or_default();
    let all = ["ISSUER", "AUDIENCE", "SUBJECT", "SCOPES"].map(variable);
    if all.iter().all(String::is_empty) {
        return Ok(policies);
    }
    let [issuer, audience, subject, scopes] = all;
    let scopes = scopes.split_whitespace().map(str::to_owned).collect();
    let issuer = Issuer {
        issuer,
        audience,
        subject,
        scopes,
    };
    policies.with_issuer(&issuer).map_err(|faults| {
        let told = faults
            .iter()
            .map(|(field, detail)| format!("CALLBOARD_OIDC_{} {detail}", field.to_uppercase()));
        anyhow!(
            "the variables of the issuer are not valid: {}",
            told.collect::<Vec<_>>().join("; ")
        )
    })
}

fn services() -> anyhow::Result<ServicesFrom> {
    let text = std::env::var("CALLBOARD_SERVICES").unwrap_or_default();
    let key = std::env::var("CALLBOARD_SERVICES_KEY").unwrap_or_default();
    match (text.trim().is_empty(), key.is_empty()) {
        (true, true) => Ok(ServicesFrom::Variable(Registry::default())),
        (false, true) => registry(text).map(ServicesFrom::Variable),
        (true, false) => Ok(ServicesFrom::Object(key)),
        (false, false) => {
            anyhow::bail!(
                "the variables CALLBOARD_SERVICES and CALLBOARD_SERVICES_KEY are both set; remove one of them"
            )
        }
    }
}

fn registry(text: String) -> anyhow::Result<Registry> {
    const NAME: &str = "CALLBOARD_SERVICES";
    Registry::parse(&[(NAME.to_owned(), text)]).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(RegistryFault::to_string).collect();
        anyhow!(
            "the variable {NAME} is not a valid registry of services: {}",
            faults.join("; ")
        )
    })
}

/// Reads a required variable.
///
/// # Errors
/// The variable is not set, or empty.
pub fn required(name: &str) -> anyhow::Result<String> {
    let value = std::env::var(name).unwrap_or_default();
    anyhow::ensure!(
        !value.is_empty(),
        "the variable {name} is not set; infra/template.yaml sets it"
    );
    Ok(value)
}

/// Reads a variable that holds a number and has a default.
///
/// # Errors
/// The variable is set to something else.
pub fn number(name: &str, default: u32) -> anyhow::Result<u32> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => text
            .parse()
            .with_context(|| format!("the variable {name} must be a whole number, not {text:?}")),
        _ => Ok(default),
    }
}
