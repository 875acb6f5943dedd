//! Bad bodies of `POST /api/v1/jobs`, and the places of their faults.

use serde_json::{Value, json};

/// Bodies that are no JSON, or JSON that two readers might read in two ways, and the place of the fault.
pub(crate) fn unreadable() -> Vec<(Vec<u8>, String)> {
    let with = |value: &str| format!(r#"{{"playbook": "hello.yml", "extra_vars": {{"a": {value}}}}}"#).into_bytes();
    let deep = "[".repeat(20_000);
    let place_of_deep = format!("/extra_vars/a{}", "/0".repeat(125));
    [
        (b"".to_vec(), ""),
        (b" \n ".to_vec(), ""),
        (b"hello.yml".to_vec(), ""),
        (b"{\"playbook\": \"hello.yml\"".to_vec(), ""),
        (b"{\"playbook\": \"hello.yml\"} {}".to_vec(), ""),
        (b"{\"playbook\": \"hello.yml\",}".to_vec(), ""),
        (b"{'playbook': 'hello.yml'}".to_vec(), ""),
        (b"\xef\xbb\xbf{\"playbook\": \"hello.yml\"}".to_vec(), ""),
        (b"\xff\xfe{\0}\0".to_vec(), ""),
        (b"{\"playbook\": \"hello\xff.yml\"}".to_vec(), "/playbook"),
        (b"{\"playbook\": \"hello.yml\0\"}".to_vec(), "/playbook"),
        (b"{\"playbook\": \"a.yml\", \"playbook\": \"b.yml\"}".to_vec(), ""),
        (with(r#"{"b": {"c": 1, "c": 1}}"#), "/extra_vars/a/b"),
        (with(r#""\ud800""#), "/extra_vars/a"),
        (with(r#""\udc00 \ud800""#), "/extra_vars/a"),
        (with("1e999"), "/extra_vars/a"),
        (with("-1e300"), "/extra_vars/a"),
        (with("[0, 18446744073709551616]"), "/extra_vars/a/1"),
        (with("123456789012345678901234567890"), "/extra_vars/a"),
        (with("NaN"), "/extra_vars/a"),
        (with("\"\x1b[31m\""), "/extra_vars/a"),
        (with(&deep), &place_of_deep),
        (
            with(&r#"{"a":"#.repeat(5_000)),
            &format!("/extra_vars/a{}", "/a".repeat(125)),
        ),
    ]
    .map(|(body, pointer)| (body, pointer.to_owned()))
    .into()
}

/// Bodies that are JSON and no valid request, and the place of every fault.
pub(crate) fn invalid() -> Vec<(Value, Vec<&'static str>)> {
    let mut cases = vec![
        (json!([]), vec![""]),
        (json!("hello.yml"), vec![""]),
        (json!(null), vec![""]),
        (json!({}), vec!["/playbook"]),
        (
            json!({"playbook": "hello.yml", "playbok": 1, "a/b~c": 2}),
            vec!["/playbok", "/a~1b~0c"],
        ),
        (
            json!({"playbook": 7, "extra_vars": [], "inventory": 5, "options": "check"}),
            vec!["/playbook", "/extra_vars", "/inventory", "/options"],
        ),
    ];
    for playbook in [
        "",
        "/etc/passwd",
        "../hello.yml",
        "a/../../hello.yml",
        "a\u{0}.yml",
        "a\nb.yml",
    ] {
        cases.push((json!({"playbook": playbook}), vec!["/playbook"]));
    }
    cases.push((json!({"playbook": "a".repeat(2000)}), vec!["/playbook"]));
    cases.push((
        json!({"playbook": "hello.yml", "extra_vars": {"a": [{"__ansible_vault": "x"}]}}),
        vec!["/extra_vars/a/0/__ansible_vault"],
    ));
    let options = |(options, pointers)| (json!({"playbook": "hello.yml", "options": options}), pointers);
    cases.extend(invalid_options().map(options));
    let inventory = |(inventory, pointers)| (json!({"playbook": "hello.yml", "inventory": inventory}), pointers);
    cases.extend(invalid_inventories().map(inventory));
    cases
}

fn invalid_options() -> [(Value, Vec<&'static str>); 6] {
    [
        (
            json!({"check": "yes", "diff": 1, "template_extra_vars": "true", "chek": true}),
            vec![
                "/options/check",
                "/options/diff",
                "/options/template_extra_vars",
                "/options/chek",
            ],
        ),
        (
            json!({"tags": "a", "skip_tags": ["a", 1, "", "a\u{0}"]}),
            vec![
                "/options/tags",
                "/options/skip_tags/1",
                "/options/skip_tags/2",
                "/options/skip_tags/3",
            ],
        ),
        (
            json!({"verbosity": 5, "forks": 0, "timeout": 0, "idle_timeout": 604_801, "max_attempts": 11}),
            vec![
                "/options/verbosity",
                "/options/forks",
                "/options/timeout",
                "/options/idle_timeout",
                "/options/max_attempts",
            ],
        ),
        (
            json!({"verbosity": -1, "forks": 1.5, "timeout": "60", "idle_timeout": u64::MAX, "max_attempts": true}),
            vec![
                "/options/verbosity",
                "/options/forks",
                "/options/timeout",
                "/options/idle_timeout",
                "/options/max_attempts",
            ],
        ),
        (json!({"limit": "web,@/etc/passwd"}), vec!["/options/limit"]),
        (json!({"limit": ["web"]}), vec!["/options/limit"]),
    ]
}

fn invalid_inventories() -> [(Value, Vec<&'static str>); 12] {
    let inline = |data: Value| json!({"type": "inline", "data": data});
    [
        (json!("localhost"), vec!["/inventory"]),
        (json!(", ,"), vec!["/inventory"]),
        (json!("a,\u{0}b"), vec!["/inventory"]),
        (json!([]), vec!["/inventory"]),
        (
            json!(["a,", "b", {"type": "gitt"}]),
            vec!["/inventory/1", "/inventory/2/type"],
        ),
        (json!({"data": {}}), vec!["/inventory/type"]),
        (
            json!({"type": "inline", "dat": {}}),
            vec!["/inventory/data", "/inventory/dat"],
        ),
        (inline(json!([])), vec!["/inventory/data"]),
        (inline(json!({"web": {"hosts": {}}})), vec!["/inventory/data"]),
        (
            inline(json!({"web": {"hosts": ["a"], "host": {}, "vars": 1, "children": {"db": 5}}})),
            vec![
                "/inventory/data/web/hosts",
                "/inventory/data/web/vars",
                "/inventory/data/web/children/db",
                "/inventory/data/web/host",
            ],
        ),
        (
            inline(json!({"web": {"hosts": {"a": "b", "c": [], "d": null}}})),
            vec!["/inventory/data/web/hosts/a", "/inventory/data/web/hosts/c"],
        ),
        (
            inline(json!({"we\nb": {"hosts": {"a": null}}, "db": {"hosts": {"": null}}})),
            vec!["/inventory/data/we\nb", "/inventory/data/db/hosts/"],
        ),
    ]
}
