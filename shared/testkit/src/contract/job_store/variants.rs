//! Requests and outcomes of every kind that a job can have.

use callboard_core::access::Origin;
use callboard_core::base::id::JobId;
use callboard_core::base::object::Object;
use callboard_core::job::{Cost, Outcome, Usage, canceled};
use callboard_core::request::{ConcurrencyPolicy, JobOptions, JobRequest, Lane, Reason};
use callboard_kind_ansible::detail::{Detail, HOSTS_UNREACHABLE, INVENTORY_INVALID, PLAYBOOK_FAILED};
use callboard_kind_ansible::inventory::{InlineInventory, Inventory, TypedInventory};
use callboard_kind_ansible::options::AnsibleOptions;
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::retry::{Retry, RetryHosts};
use callboard_kind_ansible::stats::HostStats;
use serde_json::{Map, Value, json};

use crate::contract::samples::{ansible_request, cancel_by, failure, success};

/// Requests with every kind of inventory, option and value, and requests from a newer release that knows more.
pub(super) fn requests() -> anyhow::Result<Vec<JobRequest>> {
    let base = ansible_request();
    let (options, every) = options();
    let with = |request: AnsibleRequest| request.with_options(JobOptions::default());
    let mut requests: Vec<JobRequest> = inventories()?
        .into_iter()
        .map(|inventory| AnsibleRequest {
            inventory,
            ..base.clone()
        })
        .map(with)
        .collect();
    requests.push(
        AnsibleRequest {
            options,
            ..base.clone()
        }
        .with_options(every),
    );
    let variables = [awkward(), object(json!({"large": "x".repeat(200_000)}))?];
    requests.extend(variables.map(|extra_vars| {
        with(AnsibleRequest {
            extra_vars,
            ..base.clone()
        })
    }));
    requests.extend([of_another_kind()?, with_an_unknown_option(&base)?]);
    Ok(requests)
}

fn of_another_kind() -> anyhow::Result<JobRequest> {
    let work = object(json!({"service": "etl", "operation": "run", "input": {"a": [1, null]}}))?;
    Ok(JobRequest {
        kind: Some("service".to_owned()),
        lane: Lane::Calls,
        title: Some("etl.run".to_owned()),
        origin: Some(Origin {
            by: "key:ci".to_owned(),
            subject: "key:000000000000".to_owned(),
            source_ip: Some("192.0.2.1".to_owned()),
            request_id: None,
            relaunch_of: Some(JobId::new()),
        }),
        options: JobOptions::default(),
        work: Object(work),
    })
}

fn with_an_unknown_option(base: &AnsibleRequest) -> anyhow::Result<JobRequest> {
    let mut request = base.with_options(JobOptions::default());
    let options = object(json!({"slices": 3}))?;
    request.work.0.insert("options".to_owned(), Value::Object(options));
    Ok(request)
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

fn options() -> (AnsibleOptions, JobOptions) {
    let ansible = AnsibleOptions {
        check: true,
        diff: true,
        tags: vec!["a".to_owned(), "b".to_owned()],
        skip_tags: vec!["c".to_owned()],
        limit: Some("web:!db".to_owned()),
        verbosity: 4,
        forks: Some(1000),
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
        template_extra_vars: true,
        retry: Some(Retry {
            count: 3,
            pause: 60,
            on: vec![PLAYBOOK_FAILED, Reason::SOURCE_UNAVAILABLE],
            hosts: RetryHosts::Failed,
        }),
    };
    let every = JobOptions {
        timeout: Some(604_800),
        idle_timeout: Some(1),
        max_attempts: Some(10),
        labels: [("ticket".to_owned(), "OPS-1".to_owned())].into(),
        concurrency_key: Some("host:db1".to_owned()),
        concurrency_policy: Some(ConcurrencyPolicy::CancelRunning),
        callback_url: Some("https://example.com/done".to_owned()),
    };
    (ansible, every)
}

/// Values that a careless reader or writer would change: extreme numbers, odd floats, odd texts, key order.
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
        PLAYBOOK_FAILED,
        HOSTS_UNREACHABLE,
        Reason::SOURCE_UNAVAILABLE,
        INVENTORY_INVALID,
        Reason::CREDENTIAL_UNAVAILABLE,
        Reason::REQUEST_INVALID,
        Reason::TIMEOUT,
        Reason::IDLE_TIMEOUT,
        Reason::DEADLINE,
        Reason::OUT_OF_MEMORY,
        Reason::LOST,
        Reason::SHUTDOWN,
        Reason::RUNNER_ERROR,
        Reason::CANCELED_BY_REQUEST,
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
    let detail = Detail {
        rc: Some(-9),
        stats: Some([("web1".to_owned(), host), ("ünï".to_owned(), HostStats::default())].into()),
        ..Detail::default()
    };
    let counted = Outcome {
        usage: Some(Usage {
            duration_seconds: 1.5,
            cpu_seconds: Some(0.25),
            output_bytes: 7,
            cost: Some(Cost {
                usd: 0.000_025,
                price_table: "a table".to_owned(),
            }),
            ..Usage::default()
        }),
        ..detail.onto(failure())
    };
    let newer = Outcome::failed(
        Reason::of("sun_went_down"),
        "A release that is not known has written this.",
    );
    let mut outcomes = vec![success(), counted, newer, canceled(&cancel_by("10.0.0.1"))];
    outcomes.extend(reasons.map(|reason| Outcome::failed(reason, "It failed: ünï\n\"quoted\".")));
    outcomes
}
