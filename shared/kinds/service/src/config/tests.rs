//! Schemes of authentication and functions, as a registry says them.

use serde_json::{Value, json};

use super::*;
use crate::registry::Registry;

/// Reads a registry of one operation, and returns how that is recorded.
fn recorded(service: &str, operation: &str) -> Result<Value, Vec<String>> {
    let text = format!("services:\n  - name: a\n    {service}\n    operations: [{{name: x, {operation}}}]\n");
    let registry = Registry::parse(&[("s.yml".to_owned(), text)]);
    let registry = registry.map_err(|told| told.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let (_, operation) = registry.operation("a", "x").ok_or_else(Vec::new)?;
    let recorded = serde_json::to_value(&operation.runner_config).unwrap_or_default();
    let again = serde_json::from_value::<RunnerConfig>(recorded.clone());
    assert_eq!(again.ok().as_ref(), Some(&operation.runner_config), "{recorded}");
    Ok(recorded)
}

fn http(config: &str) -> Result<Value, Vec<String>> {
    recorded(&format!("runner_config: {config}"), "description: x")
}

#[test]
fn each_scheme_of_authentication_is_read_with_its_defaults_and_recorded() -> Result<(), Vec<String>> {
    for (auth, expected) in [
        ("{type: none}", Value::Null),
        (
            "{type: basic, credential: c, username: u}",
            json!({"type": "basic", "credential": "c", "username": "u"}),
        ),
        (
            "{type: hmac, credential: c}",
            json!({"type": "hmac", "credential": "c", "header": "X-Signature", "algorithm": "sha256"}),
        ),
        (
            "{type: hmac, credential: c, header: Authorization, algorithm: sha512, timestamp_header: X-Time, prefix: 'HMAC '}",
            json!({"type": "hmac", "credential": "c", "header": "Authorization", "algorithm": "sha512",
                   "timestamp_header": "X-Time", "prefix": "HMAC "}),
        ),
        (
            "{type: oauth2_client_credentials, credential: c, client_id: i, token_url: 'https://login.example.com/token'}",
            json!({"type": "oauth2_client_credentials", "credential": "c", "client_id": "i",
                   "token_url": "https://login.example.com/token", "client_auth": "basic"}),
        ),
        (
            "{type: aws_sigv4, region: eu-central-1, service: execute-api}",
            json!({"type": "aws_sigv4", "region": "eu-central-1", "service": "execute-api"}),
        ),
        (
            "{type: mtls, credential: c}",
            json!({"type": "mtls", "credential": "c"}),
        ),
    ] {
        let config = http(&format!("{{base_url: 'https://x', auth: {auth}}}"))?;
        assert_eq!(config["auth"], expected, "{auth}");
    }
    // an operation's scheme takes nothing from another one of its service
    let service = "runner_config: {base_url: 'https://x', auth: {type: basic, credential: c, username: u}}";
    let config = recorded(service, "runner_config: {auth: {type: bearer, credential: d}}")?;
    assert_eq!(config["auth"], json!({"type": "bearer", "credential": "d"}));
    let config = recorded(service, "runner_config: {auth: {credential: d}}")?;
    assert_eq!(config["auth"]["username"], "u");
    Ok(())
}

#[test]
fn a_secret_goes_in_the_clear_only_where_the_network_is_private() {
    let private = "security_policy: {network: private}\n    runner_config:";
    for (service, told) in [
        (
            "runner_config: {base_url: 'http://x', auth: {type: bearer, credential: c}}",
            Some(
                "/runner_config/base_url must begin with https://: its auth would cross the public network in the clear",
            ),
        ),
        (
            "runner_config: {base_url: 'https://x', auth: {type: oauth2_client_credentials, credential: c, client_id: i, token_url: 'http://x'}}",
            Some("/runner_config/auth/token_url must begin with https://"),
        ),
        (
            &format!("{private} {{base_url: 'http://x', auth: {{type: mtls, credential: c}}}}"),
            Some("/runner_config/base_url must begin with https://: only TLS shows a certificate"),
        ),
        (
            &format!("{private} {{base_url: 'http://x', auth: {{type: bearer, credential: c}}}}"),
            None,
        ),
        ("runner_config: {base_url: 'http://x'}", None),
    ] {
        let faults = recorded(service, "description: x").err().unwrap_or_default();
        assert_eq!(faults.len(), usize::from(told.is_some()), "{service}: {faults:?}");
        assert!(
            told.is_none_or(|told| faults[0].contains(told)),
            "{service}: {faults:?}"
        );
    }
}

#[test]
fn what_a_scheme_or_a_header_lacks_is_told_with_its_place() {
    for (config, expected) in [
        (
            "headers: {X-A: '1', x-a: '2'}",
            "/headers/x-a is the same header as \"X-A\"",
        ),
        (
            "headers: {X-A: '1'}, idempotency_header: x-a",
            "/idempotency_header is the same header as \"X-A\"",
        ),
        (
            "headers: {x-signature: '1'}, auth: {type: hmac, credential: c}",
            "/auth/header is the same header as \"x-signature\"",
        ),
        (
            "auth: {type: hmac, credential: c, header: 'a b'}",
            "/auth/header is no name",
        ),
        (
            "auth: {type: hmac, credential: c, header: Host}",
            "/auth/header is set by",
        ),
        (
            "auth: {type: hmac, credential: c, algorithm: md5}",
            "/auth/algorithm is not known",
        ),
        (
            "auth: {type: hmac, credential: c, prefix: 'ä'}",
            "/auth/prefix must be printable",
        ),
        ("auth: {type: aws_sigv4, region: x}", "/auth/service is missing"),
        (
            "auth: {type: aws_sigv4, region: x, service: 'a/b'}",
            "/auth/service must be lower-case",
        ),
        ("auth: {type: mtls}", "/auth/credential is missing"),
        (
            "auth: {type: mtls, credential: c, username: u}",
            "/auth/username is not known",
        ),
        ("auth: {type: digest, credential: c}", "/auth/type is not known"),
        (
            "auth: {type: basic, credential: c, username: 'a:b'}",
            "must not hold a colon",
        ),
        (
            "auth: {type: oauth2_client_credentials, credential: c, token_url: 'https://x'}",
            "/auth/client_id is missing",
        ),
        (
            "auth: {type: oauth2_client_credentials, credential: c, client_id: i, token_url: x}",
            "/auth/token_url must begin with",
        ),
    ] {
        let faults = http(&format!("{{base_url: 'https://x', {config}}}"))
            .err()
            .unwrap_or_default();
        assert!(
            faults.len() == 1 && faults[0].contains(expected),
            "{config}: {faults:?}"
        );
    }
}

#[test]
fn functions_are_read_and_their_faults_told() -> Result<(), Vec<String>> {
    let function = |config: &str| {
        recorded(
            &format!("execution_type: function\n    runner_config: {config}"),
            "description: x",
        )
    };
    let lambda = function(
        "{function: 'arn:aws:lambda:eu-west-1:123456789012:function:f', qualifier: $LATEST, invocation: async}",
    )?;
    assert_eq!(
        (&lambda["asynchronous"], &lambda["qualifier"]),
        (&json!(true), &json!("$LATEST"))
    );
    let google = function(
        "{provider: google_cloud_functions, function: 'https://f.example.com/x', audience: a, credential: c}",
    )?;
    assert_eq!(
        (&google["audience"], &google["max_response_bytes"]),
        (&json!("a"), &json!(1024 * 1024))
    );
    for (config, expected) in [
        ("{}", "/function is missing"),
        ("{function: 'a/../b'}", "/function must be the name or ARN"),
        ("{function: f, qualifier: 'a&b'}", "/qualifier must be a version"),
        ("{function: f, audience: a}", "/audience is not known"),
        ("{function: f, region: EU}", "/region must be lower-case"),
        (
            "{provider: google_cloud_functions, function: 'http://f'}",
            "must begin with https://",
        ),
        (
            "{provider: google_cloud_functions, function: 'https://f', invocation: async}",
            "/invocation is not known",
        ),
        ("{provider: azure, function: f}", "/provider is not known"),
    ] {
        let faults = function(config).err().unwrap_or_default();
        assert!(
            faults.len() == 1 && faults[0].contains(expected),
            "{config}: {faults:?}"
        );
    }
    Ok(())
}
