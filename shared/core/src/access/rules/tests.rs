//! What rules let in, and which rules are refused.

use serde_json::{Value, json};

use super::CallerRules;
use crate::access::{Caller, Scopes};
use crate::base::fields::{Faults, FieldError, Fields};
use crate::base::id::Tenant;

fn read(callers: &Value) -> Result<CallerRules, Vec<FieldError>> {
    let policy = json!({ "callers": callers });
    let mut faults = Faults::default();
    let mut rules = CallerRules::default();
    if let Some(mut fields) = Fields::of(&policy, "", &mut faults) {
        rules = CallerRules::read(&mut fields, &mut faults);
    }
    faults.or(rules)
}

/// Returns a rule with the fields that every rule needs, and others in their places.
fn oidc(fields: &Value) -> Value {
    let mut rule = json!({"issuer": "https://id.example", "audience": "callboard", "scopes": ["jobs:run"]});
    if let (Some(rule), Value::Object(fields)) = (rule.as_object_mut(), fields) {
        rule.extend(fields.clone());
    }
    rule
}

/// Returns the claims that keep a token out, or the caller that it tells.
fn shown(rule: &Value, claims: &Value) -> Result<Caller, Vec<String>> {
    let rules = read(&json!({ "oidc": [rule] })).map_err(|faults| vec![format!("{faults:?}")])?;
    let Value::Object(mut all) = json!({"iss": "https://id.example", "aud": "callboard"}) else {
        return Err(Vec::new());
    };
    all.extend(claims.as_object().cloned().unwrap_or_default());
    let told = rules.oidc[0].caller("me", &all);
    told.map_err(|unfit| unfit.into_iter().map(str::to_owned).collect())
}

#[test]
fn a_token_is_let_in_where_all_its_claims_are_those_of_the_rule() -> Result<(), Vec<String>> {
    let rule = oidc(&json!({
        "audience": ["other", "callboard"],
        "claims": {"repository": "acme/web", "ref": "refs/heads/*", "id": 7, "protected": true, "workflow": "To production"},
        "tenant": "web",
    }));
    let good = json!({
        "repository": "acme/web", "ref": "refs/heads/main", "id": "7", "protected": true, "workflow": "To production",
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        shown(&rule, &claims)
    };
    let caller = with("aud", json!(["x", "callboard"]))?;
    assert_eq!(caller.name, "oidc:me");
    assert_eq!(caller.subject, "oidc:https://id.example#me");
    assert_eq!(caller.tenant.as_str(), "web");
    for (name, value) in [
        ("aud", json!("other")),
        ("id", json!(7)),
        ("protected", json!("true")),
        ("repository", json!(["acme/api", "acme/web"])),
    ] {
        assert!(with(name, value.clone()).is_ok(), "{name} {value}");
    }
    for (name, value) in [
        ("iss", json!("https://id.example/")),
        ("aud", json!("callboard2")),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("repository", json!("acme/web2")),
        ("repository", json!(["acme/api"])),
        ("repository", json!([["acme/web"]])),
        ("ref", json!("refs/heads/a/b")),
        ("ref", json!("refs/tags/main")),
        ("id", json!(70)),
        ("id", json!(7.5)),
        ("protected", json!(false)),
        ("protected", json!(null)),
        ("workflow", json!({"to": "production"})),
    ] {
        assert_eq!(with(name, value.clone()), Err(vec![name.to_owned()]), "{name} {value}");
    }
    assert_eq!(
        shown(
            &rule,
            &json!({"aud": "x", "ref": "refs/heads/main", "id": 7, "protected": true})
        ),
        Err(["aud", "repository", "workflow"].map(str::to_owned).to_vec())
    );
    Ok(())
}

#[test]
fn an_identity_of_aws_gets_what_the_first_rule_for_it_grants() -> Result<(), Vec<FieldError>> {
    let role = "arn:aws:sts::123456789012:assumed-role/deployer";
    let rules = read(&json!({"iam": [
        {"arn": format!("{role}/ci-*"), "tenant": "web", "scopes": ["jobs:run"]},
        {"arn": format!("{role}/*"), "scopes": ["admin"]},
    ]}))?;
    let arn = format!("{role}/ci-7");
    let caller = rules.of_arn(&arn);
    assert_eq!(
        caller
            .as_ref()
            .map(|caller| (&caller.name, &caller.subject, caller.tenant.as_str())),
        Some((&arn, &arn, "web"))
    );
    let other = rules.of_arn(&format!("{role}/ann"));
    let expected = Caller {
        until: None,
        logs_in: false,
        tenant: Tenant::default(),
        name: format!("{role}/ann"),
        subject: format!("{role}/ann"),
        scopes: Scopes::admin(),
    };
    assert_eq!(other, Some(expected));
    for arn in [role, "arn:aws:sts::123456789012:assumed-role/deployer2/x", "", "*"] {
        assert_eq!(rules.of_arn(arn), None, "{arn}");
    }
    Ok(())
}

#[test]
fn every_fault_is_told_with_its_place() {
    for (callers, pointer, told) in [
        (json!([]), "", "must be an object"),
        (json!({"jwt": []}), "/jwt", "is not known here"),
        (json!({"oidc": {}}), "/oidc", "must be a list"),
        (json!({"oidc": ["x"]}), "/oidc/0", "must be an object"),
        (
            json!({"oidc": [oidc(&json!({"x": 1}))]}),
            "/oidc/0/x",
            "is not known here",
        ),
        (
            json!({"oidc": [oidc(&json!({"issuer": null}))]}),
            "/oidc/0/issuer",
            "is missing",
        ),
        (
            json!({"oidc": [oidc(&json!({"issuer": "http://id.example"}))]}),
            "/oidc/0/issuer",
            "https://",
        ),
        (
            json!({"oidc": [oidc(&json!({"issuer": "https://id.example?x"}))]}),
            "/oidc/0/issuer",
            "query",
        ),
        (
            json!({"oidc": [oidc(&json!({"issuer": "https://u:p@id.example"}))]}),
            "/oidc/0/issuer",
            "password",
        ),
        (
            json!({"oidc": [oidc(&json!({"audience": null}))]}),
            "/oidc/0/audience",
            "is missing",
        ),
        (
            json!({"oidc": [oidc(&json!({"audience": []}))]}),
            "/oidc/0/audience",
            "must not be empty",
        ),
        (
            json!({"oidc": [oidc(&json!({"audience": ["a", 1]}))]}),
            "/oidc/0/audience/1",
            "must be a string",
        ),
        (
            json!({"oidc": [oidc(&json!({"claims": ["a"]}))]}),
            "/oidc/0/claims",
            "must be an object",
        ),
        (
            json!({"oidc": [oidc(&json!({"claims": {"a/b": []}}))]}),
            "/oidc/0/claims/a~1b",
            "must be a string",
        ),
        (
            json!({"oidc": [oidc(&json!({"claims": {"a": ""}}))]}),
            "/oidc/0/claims/a",
            "must not be empty",
        ),
        (
            json!({"oidc": [oidc(&json!({"claims": {"a": "***"}}))]}),
            "/oidc/0/claims/a",
            "three stars",
        ),
        (
            json!({"oidc": [oidc(&json!({"tenant": "Web"}))]}),
            "/oidc/0/tenant",
            "small letters",
        ),
        (
            json!({"oidc": [oidc(&json!({"scopes": null}))]}),
            "/oidc/0/scopes",
            "is missing",
        ),
        (
            json!({"oidc": [oidc(&json!({"scopes": []}))]}),
            "/oidc/0/scopes",
            "at least one",
        ),
        (
            json!({"oidc": [oidc(&json!({"scopes": [1, "jobs:run"]}))]}),
            "/oidc/0/scopes/0",
            "must be a string",
        ),
        (
            json!({"oidc": [oidc(&json!({"scopes": ["admin", "jobs"]}))]}),
            "/oidc/0/scopes/1",
            "is not a scope",
        ),
        (json!({"iam": [{"scopes": ["admin"]}]}), "/iam/0/arn", "is missing"),
        (
            json!({"iam": [{"arn": "deployer", "scopes": ["admin"]}]}),
            "/iam/0/arn",
            "must be an ARN",
        ),
        (
            json!({"iam": [{"arn": "arn:a b", "scopes": ["admin"]}]}),
            "/iam/0/arn",
            "cannot have ' '",
        ),
        (json!({"iam": [{"arn": "arn:aws:*"}]}), "/iam/0/scopes", "is missing"),
    ] {
        let faults = read(&callers).err().unwrap_or_default();
        let pointer = format!("/callers{pointer}");
        let is_told = |fault: &FieldError| fault.pointer == pointer && fault.detail.contains(told);
        assert!(faults.len() == 1 && is_told(&faults[0]), "{callers}: {faults:?}");
    }
}

#[test]
fn messages_and_events_come_as_the_rules_say_and_as_the_operator_where_they_say_nothing() -> Result<(), Vec<FieldError>>
{
    let rules = read(&json!({"sqs": {"tenant": "web", "scopes": ["jobs:run[credential=web-*]"]}}))?;
    let (messages, events) = (rules.of_messages(), rules.of_events());
    assert_eq!((messages.name.as_str(), messages.tenant.as_str()), ("sqs", "web"));
    assert!(!messages.is_operator() && events.is_operator());
    for (wrong, pointer) in [
        (json!({"sqs": []}), "/callers/sqs"),
        (json!({"sqs": {}}), "/callers/sqs/scopes"),
        (
            json!({"eventbridge": {"scopes": ["admin"], "arn": "x"}}),
            "/callers/eventbridge/arn",
        ),
    ] {
        let faults = read(&wrong).err().unwrap_or_default();
        assert!(
            faults.iter().any(|fault| fault.pointer == pointer),
            "{wrong}: {faults:?}"
        );
    }
    Ok(())
}
