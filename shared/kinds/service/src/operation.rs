//! Operations of services.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::request::MAX_TIMEOUT_SECONDS;
use serde_json::{Map, Value};

use crate::config::{RunnerConfig, merge};
use crate::execution_type::ExecutionType;
use crate::retry::Retry;
use crate::schema::Schema;
use crate::security::SecurityPolicy;

const MAX_NAME_BYTES: usize = 63;
const MAX_TEXT_BYTES: usize = 4096;

/// What a service can be asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its name, which no other operation of the service has.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// What its input must be; anything, if absent.
    pub input_schema: Option<Schema>,
    /// What its output is; anything, if absent.
    pub output_schema: Option<Schema>,
    /// The time limit of one try, in seconds.
    pub timeout: u64,
    /// How often it is tried again, and when.
    pub retry: Retry,
    /// Whether doing it twice is the same as doing it once.
    pub idempotent: bool,
    /// What is done instead if it fails.
    pub fallback: Option<Fallback>,
    /// How it is executed.
    pub runner_config: RunnerConfig,
}

/// An operation that stands in for another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fallback {
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
}

/// What an operation takes from its service.
pub(crate) struct Of<'a> {
    pub(crate) execution_type: ExecutionType,
    pub(crate) policy: &'a SecurityPolicy,
    pub(crate) runner_config: &'a Map<String, Value>,
}

impl Operation {
    pub(crate) fn read(value: &Value, pointer: &str, of: &Of<'_>, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults)?;
        let name = name(&mut fields, faults);
        let description = fields.text("description", MAX_TEXT_BYTES, faults).map(str::to_owned);
        let input_schema = Schema::field(&mut fields, "input_schema", faults);
        let output_schema = Schema::field(&mut fields, "output_schema", faults);
        let timeout = fields.integer("timeout", 1, MAX_TIMEOUT_SECONDS, faults);
        let retry = Retry::read(&mut fields, faults);
        let declared = fields.get("idempotent").is_some();
        let idempotent = fields.boolean("idempotent", faults);
        let fallback = fallback(&mut fields, faults);
        let own = fields.object("runner_config", faults).cloned().unwrap_or_default();
        let merged = merge(of.runner_config, &own);
        let mut config = Fields::of_map(&merged, &fields.pointer("runner_config"));
        let runner_config = RunnerConfig::read(&mut config, of.execution_type, of.policy, faults);
        config.finish(faults);
        let (input_pointer, retries_pointer) = (fields.pointer("input_schema"), fields.pointer("max_retries"));
        fields.finish(faults);
        let runner_config = runner_config?;
        if let Some(schema) = &input_schema {
            check_fields(&runner_config, schema, &input_pointer, faults);
        }
        let idempotent = if declared {
            idempotent
        } else {
            is_idempotent(&runner_config)
        };
        if retry.max_retries > 0 && !idempotent && of.execution_type != ExecutionType::Http {
            faults.add(
                retries_pointer,
                "needs idempotent: true, since a program, container or function that has begun may have had its effect",
            );
        }
        Some(Self {
            name: name?,
            description,
            input_schema,
            output_schema,
            timeout: timeout.unwrap_or(of.execution_type.default_timeout()),
            retry,
            idempotent,
            fallback,
            runner_config,
        })
    }
}

/// Reads the name of a service or an operation.
pub(crate) fn name(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<String> {
    let name = fields.required_line("name", MAX_NAME_BYTES, faults)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    if !name.bytes().all(good) || name.starts_with(['-', '_']) {
        faults.add(
            fields.pointer("name"),
            "must be lower-case letters, digits, `_` and `-`, and begin with a letter or digit",
        );
    }
    Some(name.to_owned())
}

fn fallback(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Fallback> {
    let pointer = fields.pointer("fallback");
    let mut own = Fields::of(fields.get("fallback")?, &pointer, faults)?;
    let service = own.required_line("service", MAX_NAME_BYTES, faults);
    let operation = own.required_line("operation", MAX_NAME_BYTES, faults);
    own.finish(faults);
    Some(Fallback {
        service: service?.to_owned(),
        operation: operation?.to_owned(),
    })
}

/// Fields that a call needs must be in every input that the schema lets through.
fn check_fields(config: &RunnerConfig, schema: &Schema, pointer: &str, faults: &mut Faults) {
    let required = schema.text()["required"].as_array().cloned().unwrap_or_default();
    for field in config.input_fields() {
        if !required.iter().any(|name| name == field) {
            faults.add(
                pointer,
                format!("must require {field:?}, which the runner_config puts into the call"),
            );
        }
    }
}

/// Returns whether HTTP's semantics, or the job's id as an idempotency key, make a repetition harmless.
fn is_idempotent(config: &RunnerConfig) -> bool {
    match config {
        RunnerConfig::Http(config) => {
            config.idempotency_header.is_some() || !matches!(config.method.as_str(), "POST" | "PATCH")
        }
        _ => false,
    }
}
