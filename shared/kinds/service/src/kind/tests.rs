//! Requests that call services, through the list of kinds.

use callboard_core::request::{JobRequest, Kinds};

use super::*;
use crate::config::RunnerConfig;
use crate::registry::Registry;

const REGISTRY: &str = "
services:
  - name: billing
    runner_config: {base_url: 'https://billing.example.com', auth: {type: bearer, credential: billing-token}}
    operations:
      - name: create_invoice
        input_schema:
          type: object
          required: [order]
          properties: {order: {type: integer, minimum: 1}, note: {type: string}}
          additionalProperties: false
        max_retries: 3
      - name: get_invoice
        runner_config: {method: GET, path: '/invoices/{id}'}
        max_retries: 3
  - name: etl
    execution_type: shell
    runner_config: {command: /usr/bin/etl, environment: {TOKEN: {credential: etl-token}}}
    operations: [{name: run}]
";

fn kinds() -> Result<Kinds, String> {
    let files = [("services.yml".to_owned(), REGISTRY.to_owned())];
    let registry = Registry::parse(&files).map_err(|faults| format!("{faults:?}"))?;
    let services = Services::new(Arc::new(InForce::new(registry)), Arc::default());
    Ok(Kinds::new(Arc::new(services), Vec::new()))
}

#[test]
fn a_call_records_what_the_registry_says_and_is_shown_so() -> Result<(), Box<dyn std::error::Error>> {
    let kinds = kinds()?;
    let body = json!({"service": "billing", "operation": "create_invoice", "input": {"order": 42}, "options": {"correlation_id": "o-42"}});
    let read = kinds.read(&body).map_err(|faults| format!("{faults:?}"))?;
    assert_eq!(read.request.kind.as_deref(), Some("http"));
    assert_eq!(read.request.title.as_deref(), Some("billing/create_invoice"));
    // a POST without an idempotency key is started once only, whatever its retries
    assert_eq!(read.request.options.max_attempts, None);
    assert_eq!(
        (read.secrets[0].name.as_str(), read.secrets.len()),
        ("billing-token", 1)
    );
    let stored: JobRequest = serde_json::from_str(&serde_json::to_string(&read.request)?)?;
    let call = ServiceRequest::of(&stored)?;
    assert!(matches!(call.call.runner_config, RunnerConfig::Http(_)));
    let kind = kinds.of(&stored).ok_or("the kind is not known")?;
    let shown = kind.show(Told {
        request: &stored,
        progress: None,
        left: None,
        detail: None,
    });
    assert_eq!(shown.record.0["execution_type"], "http");
    assert_eq!(shown.record.0["input"], json!({"order": 42}));
    assert_eq!(shown.record.0["options"], json!({"correlation_id": "o-42"}));
    assert_eq!(shown.record.0["runner_config"]["auth"]["credential"], "billing-token");
    let get = json!({"service": "billing", "operation": "get_invoice", "input": {"id": "7"}});
    let read = kinds.read(&get).map_err(|faults| format!("{faults:?}"))?;
    assert_eq!(read.request.options.max_attempts, Some(4));
    Ok(())
}

#[test]
fn what_cannot_be_called_is_refused_with_pointers() -> Result<(), Box<dyn std::error::Error>> {
    let kinds = kinds()?;
    for (body, pointer, told) in [
        (
            json!({"service": "biling", "operation": "x"}),
            "/service",
            "known are billing, etl",
        ),
        (json!({"service": "billing"}), "/operation", "is missing"),
        (
            json!({"service": "billing", "operation": "drop"}),
            "/operation",
            "known are create_invoice, get_invoice",
        ),
        (
            json!({"service": "billing", "operation": "create_invoice"}),
            "/input",
            "order",
        ),
        (
            json!({"service": "billing", "operation": "create_invoice", "input": {"order": 0}}),
            "/input/order",
            "minimum",
        ),
        (
            json!({"service": "billing", "operation": "create_invoice", "input": {"order": 1, "x": 1}}),
            "/input",
            "x",
        ),
        (
            json!({"service": "billing", "operation": "create_invoice", "input": []}),
            "/input",
            "must be an object",
        ),
        (
            json!({"service": "billing", "operation": "get_invoice"}),
            "/input/id",
            "is missing",
        ),
        (
            json!({"service": "billing", "operation": "get_invoice", "input": {"id": ["a"]}}),
            "/input/id",
            "must be a string",
        ),
        (
            json!({"service": "etl", "operation": "run", "options": {"max_attempts": 2}}),
            "/options/max_attempts",
            "not idempotent",
        ),
        (
            json!({"service": "etl", "operation": "run", "inputs": {}}),
            "/inputs",
            "is not known here",
        ),
        (
            json!({"service": "etl", "operation": "run", "options": {"check": true}}),
            "/options/check",
            "is not known here",
        ),
    ] {
        let faults = kinds.read(&body).err().unwrap_or_default();
        let found = faults
            .iter()
            .any(|fault| fault.pointer == pointer && fault.detail.contains(told));
        assert!(found && faults.len() == 1, "{body}: {faults:?}");
    }
    let newer = json!({
        "service": "billing", "operation": "get_invoice", "input": {"id": "7"},
    });
    let mut read = kinds.read(&newer).map_err(|faults| format!("{faults:?}"))?;
    read.request.work.0["call"]["runner_config"]["of_a_newer_release"] = json!(true);
    assert!(ServiceRequest::of(&read.request).is_err());
    let refused = kinds.outline(&json!({"service": "a", "operation": "b"}));
    assert_eq!(refused.title.as_deref(), Some("a/b"));
    Ok(())
}
