//! Registries that are read, and those that are refused.

use super::*;
use crate::config::RunnerConfig;
use crate::execution_type::ExecutionType;

fn parse(text: &str) -> Result<Registry, Vec<String>> {
    let told = |faults: Vec<RegistryFault>| faults.iter().map(ToString::to_string).collect();
    Registry::parse(&[("services.yml".to_owned(), text.to_owned())]).map_err(told)
}

const EACH: &str = "
services:
  - name: stripe
    type: payment
    category: financial
    runner_config:
      base_url: https://api.example.com/v1
      auth: {type: bearer, credential: stripe-key}
    operations:
      - name: create_charge
        input_schema: {type: object, required: [amount], properties: {amount: {type: integer}}}
        output_schema: {type: object}
        timeout: 30
        max_retries: 3
        runner_config: {path: /charges, idempotency_header: Idempotency-Key}
      - name: get_charge
        input_schema: {type: object, required: [id], properties: {id: {type: string}}}
        runner_config: {method: GET, path: '/charges/{id}'}
  - name: data_processor
    execution_type: shell
    security_policy: {allowed_commands: [/usr/bin/etl], resource_limits: {memory_mb: 512}}
    runner_config: {command: /usr/bin/etl}
    operations:
      - {name: run, runner_config: {args: [run, '--file={file}', '--', '{rest}']}}
  - name: report
    execution_type: docker
    runner_config: {image: 'registry.example.com:5000/team/report:1.2', user: '1000'}
    operations: [{name: make}]
  - name: resize
    execution_type: serverless
    runner_config: {function: resize-image}
    operations: [{name: resize, idempotent: true, max_retries: 2}]
";

#[test]
fn a_registry_has_services_of_each_type_with_their_defaults() -> Result<(), Vec<String>> {
    let registry = parse(EACH)?;
    let types: Vec<ExecutionType> = registry.services.iter().map(|service| service.execution_type).collect();
    assert_eq!(
        types,
        [
            ExecutionType::Http,
            ExecutionType::Shell,
            ExecutionType::Container,
            ExecutionType::Function
        ]
    );
    let found = registry.operation("stripe", "get_charge");
    let Some((_, operation)) = found else {
        return Err(vec!["no get_charge".to_owned()]);
    };
    assert_eq!(
        (operation.timeout, operation.retry.max_retries, operation.idempotent),
        (300, 0, true)
    );
    let RunnerConfig::Http(config) = &operation.runner_config else {
        return Err(vec!["no http".to_owned()]);
    };
    assert_eq!(config.base_url, "https://api.example.com/v1");
    assert!(config.auth.is_some());
    assert_eq!(registry.revision.len(), 12);
    assert_ne!(registry.revision, parse(&format!("{EACH}\n"))?.revision);
    Ok(())
}

#[test]
fn what_is_recorded_of_an_operation_is_read_again() -> Result<(), Box<dyn std::error::Error>> {
    let registry = parse(EACH).map_err(|told| told.join("\n"))?;
    for service in &registry.services {
        for operation in &service.operations {
            let text = serde_json::to_string(&operation.runner_config)?;
            assert_eq!(serde_json::from_str::<RunnerConfig>(&text)?, operation.runner_config);
        }
        let text = serde_json::to_string(&service.security_policy)?;
        assert_eq!(
            serde_json::from_str::<crate::security::SecurityPolicy>(&text)?,
            service.security_policy
        );
    }
    Ok(())
}

#[test]
fn every_fault_is_told_with_its_line() {
    let http = |config: &str| {
        format!(
            "services:\n  - name: a\n    runner_config:\n      {config}\n    operations: [{{name: x}}, {{name: y}}]\n"
        )
    };
    let shell = |config: &str| {
        format!(
            "services:\n  - name: a\n    execution_type: shell\n    security_policy: {{allowed_commands: [/bin/true]}}\n    operations:\n      - name: x\n        runner_config: {config}\n"
        )
    };
    for (text, expected) in [
        ("[]".to_owned(), "services.yml:1: it must be an object"),
        (
            "services: {}".to_owned(),
            "services.yml:1: /services must be a list of services",
        ),
        (
            "service: []\nservices: []\n".to_owned(),
            "services.yml:1: /service is not known here",
        ),
        (
            "services:\n  - name: A b\n    runner_config: {base_url: 'https://x'}\n    operations: [{name: x}]\n"
                .to_owned(),
            "services.yml:2: /services/0/name must be lower-case",
        ),
        (
            "services:\n  - name: a\n    execution_type: ftp\n".to_owned(),
            "services.yml:3: /services/0/execution_type is not known",
        ),
        (
            http("base_url: ftp://x"),
            "services.yml:4: /services/0/runner_config/base_url must begin with",
        ),
        (
            http("base_url: https://user:pw@x"),
            "services.yml:4: /services/0/runner_config/base_url must not hold a user",
        ),
        (
            http("{base_url: 'https://x', base: 1}"),
            "services.yml:4: /services/0/runner_config/base is not known here",
        ),
        (
            http("{base_url: 'https://x', path: '{host}/x'}"),
            "/services/0/runner_config/path must begin with / or ?",
        ),
        (
            http("{base_url: 'https://x', headers: {Authorization: x}}"),
            "is set by Callboard",
        ),
        (
            http("{base_url: 'https://x', auth: {type: bearer}}"),
            "/auth/credential is missing",
        ),
        (
            http("{base_url: 'https://x', success: {status: ['2xx']}}"),
            "must be a status or a range",
        ),
        (
            shell("{command: /bin/sh}"),
            "services.yml:7: /services/0/operations/0/runner_config/command is not in the allowed_commands",
        ),
        (
            shell("{command: /bin/true}").replace("[/bin/true]", "[/bin/true], write_paths: [/srv/../etc]"),
            "services.yml:4: /services/0/security_policy/write_paths/0 must be an absolute path without",
        ),
        (shell("{command: /bin/../bin/true}"), "must be an absolute path without"),
        (shell("{command: true}"), "/command must be a string"),
        (
            shell("{command: /bin/true, args: ['{file}']}"),
            "begins with a field, which could become an option",
        ),
        (
            shell("{command: /bin/true, environment: {LD_PRELOAD: /x.so}}"),
            "/environment/LD_PRELOAD is not allowed",
        ),
        (
            shell("{command: /bin/true, sha256: abc}"),
            "must be 64 hexadecimal digits",
        ),
    ] {
        let told = parse(&text).err().unwrap_or_default();
        assert!(told.iter().any(|told| told.contains(expected)), "{text}\n{told:#?}");
        assert_eq!(told.len(), 1, "{text}\n{told:#?}");
    }
}

#[test]
fn operations_fit_their_schemas_and_their_fallbacks() {
    let with = |operations: &str| {
        format!("services:\n  - name: a\n    runner_config: {{base_url: 'https://x'}}\n    operations:\n{operations}")
    };
    for (operations, expected) in [
        (
            "      - {name: x}\n      - {name: x}\n",
            "services.yml:6: /services/0/operations/1/name is the name of another operation",
        ),
        ("      - {name: x, timeout: 0}\n", "/timeout must be a whole number"),
        (
            "      - {name: x, max_retries: 11}\n",
            "/max_retries must be a whole number",
        ),
        (
            "      - {name: x, input_schema: {type: strin}}\n",
            "/input_schema/type is no JSON Schema",
        ),
        (
            "      - {name: x, input_schema: {type: object}, runner_config: {path: '/{id}'}}\n",
            "must require \"id\"",
        ),
        (
            "      - {name: x, fallback: {service: a, operation: y}}\n",
            "/fallback names no operation of this registry: a/y",
        ),
        (
            "      - {name: x, fallback: {service: a, operation: x}}\n",
            "/fallback leads back to a/x",
        ),
    ] {
        let told = parse(&with(operations)).err().unwrap_or_default();
        assert!(
            told.iter().any(|told| told.contains(expected)),
            "{operations}\n{told:#?}"
        );
    }
    let twice = Registry::parse(&["a.yml", "b.yml"].map(|file| (file.to_owned(), with("      - {name: x}\n"))));
    let told = twice.err().unwrap_or_default();
    assert_eq!(
        (told.len(), told[0].file.as_str(), told[0].line),
        (1, "b.yml", Some(2)),
        "{told:?}"
    );
}
