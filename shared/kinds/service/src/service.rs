//! Services of the registry.

use std::time::Duration;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::run::BreakerRule;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::execution_type::ExecutionType;
use crate::operation::{Of, Operation, name};
use crate::security::SecurityPolicy;

const MAX_LINE_BYTES: usize = 255;
const MAX_TEXT_BYTES: usize = 4096;

/// A service, with what can be asked of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name, which no other service has.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// What sort of service it is, in the operator's words.
    pub kind: Option<String>,
    /// What it belongs to, in the operator's words.
    pub category: Option<String>,
    /// How it is executed.
    pub execution_type: ExecutionType,
    /// What it may do.
    pub security_policy: SecurityPolicy,
    /// When calls are refused because it is down; `None` for programs and containers, which are there or not.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// What it can be asked to do.
    pub operations: Vec<Operation>,
}

/// When calls of a service are refused because it is down.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CircuitBreaker {
    /// After how many failures in a row.
    pub failure_threshold: u64,
    /// After how many seconds one call is let through.
    pub reset_timeout: u64,
}

impl Service {
    pub(crate) fn read(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults)?;
        let name = name(&mut fields, faults);
        let description = fields.text("description", MAX_TEXT_BYTES, faults).map(str::to_owned);
        let kind = fields.line("type", MAX_LINE_BYTES, faults).map(str::to_owned);
        let category = fields.line("category", MAX_LINE_BYTES, faults).map(str::to_owned);
        let execution_type = execution_type(&mut fields, faults);
        // what it means depends on the type
        let Some(execution_type) = execution_type else {
            for name in ["security_policy", "circuit_breaker", "runner_config", "operations"] {
                fields.allow(name);
            }
            fields.finish(faults);
            return None;
        };
        let circuit_breaker = match execution_type {
            ExecutionType::Http | ExecutionType::Function => Some(CircuitBreaker::read(&mut fields, faults)),
            ExecutionType::Shell | ExecutionType::Container => None,
        };
        let security_policy = SecurityPolicy::read(&mut fields, execution_type, faults);
        let none = Map::new();
        let of = Of {
            execution_type,
            policy: &security_policy,
            runner_config: fields.object("runner_config", faults).unwrap_or(&none),
        };
        let operations = operations(&mut fields, &of, faults);
        fields.finish(faults);
        Some(Self {
            name: name?,
            description,
            kind,
            category,
            execution_type,
            circuit_breaker,
            operations,
            security_policy,
        })
    }

    /// Returns an operation by its name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}

impl CircuitBreaker {
    /// Returns the rule that the store of breakers applies.
    #[must_use]
    pub fn rule(&self) -> BreakerRule {
        BreakerRule {
            failure_threshold: u32::try_from(self.failure_threshold).unwrap_or(u32::MAX),
            reset_timeout: Duration::from_secs(self.reset_timeout),
        }
    }

    fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let usual = Self {
            failure_threshold: 5,
            reset_timeout: 60,
        };
        let pointer = fields.pointer("circuit_breaker");
        let own = fields.get("circuit_breaker");
        let Some(mut own) = own.and_then(|value| Fields::of(value, &pointer, faults)) else {
            return usual;
        };
        let breaker = Self {
            failure_threshold: own
                .integer("failure_threshold", 1, 1000, faults)
                .unwrap_or(usual.failure_threshold),
            reset_timeout: own
                .integer("reset_timeout", 1, 24 * 3600, faults)
                .unwrap_or(usual.reset_timeout),
        };
        own.finish(faults);
        breaker
    }
}

fn execution_type(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<ExecutionType> {
    if fields.get("execution_type").is_none() {
        return Some(ExecutionType::default());
    }
    let word = fields.variant("execution_type", &ExecutionType::WORDS, faults)?;
    Some(ExecutionType::of(word))
}

fn operations(fields: &mut Fields<'_>, of: &Of<'_>, faults: &mut Faults) -> Vec<Operation> {
    let pointer = fields.pointer("operations");
    let Some(Value::Array(items)) = fields.get("operations") else {
        faults.add(pointer, "must be a list of operations");
        return Vec::new();
    };
    if items.is_empty() {
        faults.add(pointer.as_str(), "must have an operation at least");
    }
    let mut operations = Vec::<Operation>::new();
    for (index, item) in items.iter().enumerate() {
        let pointer = format!("{pointer}/{index}");
        let Some(operation) = Operation::read(item, &pointer, of, faults) else {
            continue;
        };
        if operations.iter().any(|other| other.name == operation.name) {
            faults.add(
                format!("{pointer}/name"),
                format!("is the name of another operation, too: {:?}", operation.name),
            );
        }
        operations.push(operation);
    }
    operations
}
