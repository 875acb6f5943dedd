//! Requests and outcomes of every kind that a job may have.

use callboard_core::inventory::{InlineInventory, Inventory, TypedInventory};
use callboard_core::job::canceled;
use callboard_core::options::Options;
use callboard_core::outcome::{HostStats, Outcome, Reason};
use callboard_core::request::JobRequest;
use serde_json::{Map, Value, json};

use crate::contract::samples::{cancel_by, failure, request, success};

/// Requests with every kind of inventory, option and value.
pub(super) fn requests() -> anyhow::Result<Vec<JobRequest>> {
    let base = request();
    let mut requests: Vec<JobRequest> = inventories()?
        .into_iter()
        .map(|inventory| JobRequest {
            inventory,
            ..base.clone()
        })
        .collect();
    requests.extend(options().into_iter().map(|options| JobRequest {
        options,
        ..base.clone()
    }));
    let variables = [awkward(), object(json!({"large": "x".repeat(200_000)}))?];
    requests.extend(variables.map(|extra_vars| JobRequest {
        extra_vars,
        ..base.clone()
    }));
    Ok(requests)
}

fn inventories() -> anyhow::Result<Vec<Inventory>> {
    let text = Inventory::Text("a,b,ünï.example,".to_owned());
    let inline = Inventory::Typed(TypedInventory::Inline(InlineInventory {
        data: object(
            json!({"web": {"hosts": {"z": null, "a": {"port": 80}}, "vars": {"v": []}, "children": {"c": null}}}),
        )?,
        ..InlineInventory::default()
    }));
    let several = Inventory::Several(vec![text.clone(), inline.clone()]);
    Ok(vec![text, inline, several, Inventory::Several(vec![])])
}

fn options() -> Vec<Options> {
    let every = Options {
        check: true,
        diff: true,
        tags: vec!["a".to_owned(), "b".to_owned()],
        skip_tags: vec!["c".to_owned()],
        limit: Some("web:!db".to_owned()),
        verbosity: 4,
        forks: Some(1000),
        timeout: Some(604_800),
        idle_timeout: Some(1),
        max_attempts: Some(10),
        start_at_task: Some("Install".to_owned()),
        r#become: true,
        become_user: Some("root".to_owned()),
        become_method: Some("sudo".to_owned()),
        remote_user: Some("deploy".to_owned()),
        connection: Some("ssh".to_owned()),
        strategy: Some("free".to_owned()),
        flush_cache: true,
        vault_ids: vec!["prod@prod-vault".to_owned()],
        environment: [("APP_STAGE".to_owned(), "prod".to_owned())].into(),
        labels: [("ticket".to_owned(), "OPS-1".to_owned())].into(),
        callback_url: Some("https://example.com/done".to_owned()),
        template_extra_vars: true,
    };
    vec![Options::default(), every]
}

/// Values that a careless reader or writer changes: numbers at their limits, odd floats, odd texts, order of keys.
fn awkward() -> Map<String, Value> {
    let numbers = json!([
        0,
        -1,
        u64::MAX,
        i64::MIN,
        0.1,
        -0.0,
        1e-7,
        5e-324,
        31.245_270_191_439_438,
        9_007_199_254_740_991.0
    ]);
    let texts = json!([
        "",
        " ",
        "\u{0}",
        "a\nb\r\n",
        "\u{1b}[31m",
        "ünï 🦀",
        "\"'\\",
        "{{ x }}",
        "NULL"
    ]);
    let mut variables = Map::new();
    for (name, value) in [
        ("z", numbers),
        ("a", texts),
        ("", json!({"": {}})),
        ("m.n $k", json!([[], null, true])),
    ] {
        variables.insert(name.to_owned(), value);
    }
    variables
}

fn object(value: Value) -> anyhow::Result<Map<String, Value>> {
    match value {
        Value::Object(object) => Ok(object),
        other => anyhow::bail!("{other} is no object"),
    }
}

/// Outcomes with every reason, with and without exit code and counts.
pub(super) fn outcomes() -> Vec<Outcome> {
    let reasons = [
        Reason::PlaybookFailed,
        Reason::HostsUnreachable,
        Reason::SourceUnavailable,
        Reason::InventoryInvalid,
        Reason::CredentialUnavailable,
        Reason::RequestInvalid,
        Reason::Timeout,
        Reason::IdleTimeout,
        Reason::Deadline,
        Reason::OutOfMemory,
        Reason::Lost,
        Reason::Shutdown,
        Reason::RunnerError,
        Reason::CanceledByRequest,
    ];
    let host = HostStats {
        ok: 1,
        changed: 2,
        failures: 3,
        dark: 4,
        skipped: 5,
        rescued: 6,
        ignored: 7,
        processed: 1,
    };
    let counted = Outcome {
        rc: Some(-9),
        stats: Some([("web1".to_owned(), host), ("ünï".to_owned(), HostStats::default())].into()),
        ..failure()
    };
    let mut outcomes = vec![success(), counted, canceled(&cancel_by("10.0.0.1"))];
    outcomes.extend(reasons.map(|reason| Outcome::failed(reason, "It failed: ünï\n\"quoted\".")));
    outcomes
}
