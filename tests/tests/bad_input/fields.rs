//! Every field of a request: missing, empty, of the wrong type, unknown, hostile, too long.

use serde_json::{Value, json};

type Case = (Value, Vec<&'static str>);

/// Bodies that are JSON and no valid request, and the place of every fault.
pub(crate) fn invalid() -> Vec<Case> {
    let sources = sources()
        .into_iter()
        .map(|(source, places)| (json!({"source": source}), places));
    let inventories = inventories()
        .into_iter()
        .map(|(inventory, places)| (json!({"playbook": "hello.yml", "inventory": inventory}), places));
    let credentials = credentials()
        .into_iter()
        .map(|(credentials, places)| (json!({"playbook": "hello.yml", "credentials": credentials}), places));
    let options = options()
        .into_iter()
        .map(|(options, places)| (json!({"playbook": "hello.yml", "options": options}), places));
    sources.chain(inventories).chain(credentials).chain(options).collect()
}

fn sources() -> Vec<Case> {
    let long = "x".repeat(3000);
    let role = |more: Value| {
        let mut role = json!({"type": "collection_role", "collection": "a.b", "role": "c"});
        for (name, value) in more.as_object().into_iter().flatten() {
            role[name] = value.clone();
        }
        role
    };
    let mut cases = vec![
        (json!("site.yml"), vec!["/source"]),
        (json!({}), vec!["/source/type"]),
        (json!({"type": 1}), vec!["/source/type"]),
        (json!({"type": "galaxy", "x": 1}), vec!["/source/type"]),
        (json!({"type": "playbook"}), vec!["/source/path"]),
        (json!({"type": "playbook", "path": "../x"}), vec!["/source/path"]),
        (
            json!({"type": "playbook", "path": "x", "branch": "main", "submodules": true}),
            vec!["/source/branch", "/source/submodules"],
        ),
        (
            json!({"type": "playbook", "path": "x", "role": "y"}),
            vec!["/source/role"],
        ),
        (
            json!({"type": "playbook", "path": [], "repo": 1, "branch": {}, "git_credential": 5, "submodules": "no"}),
            vec![
                "/source/repo",
                "/source/branch",
                "/source/git_credential",
                "/source/submodules",
                "/source/path",
            ],
        ),
        (
            json!({"type": "playbook", "path": "", "repo": "", "branch": "", "git_credential": ""}),
            vec![
                "/source/repo",
                "/source/branch",
                "/source/git_credential",
                "/source/path",
            ],
        ),
        (json!({"type": "role"}), vec!["/source/role"]),
        (json!({"type": "role", "path": "roles/x"}), vec!["/source/path"]),
        (
            json!({"type": "role", "role": "-x", "role_vars": []}),
            vec!["/source/role", "/source/role_vars"],
        ),
        (
            json!({"type": "role", "role": "x", "role_vars": {"a": {"__ansible_unsafe": "x"}}}),
            vec!["/source/role_vars/a/__ansible_unsafe"],
        ),
        (
            json!({"type": "collection_role"}),
            vec!["/source/collection", "/source/role"],
        ),
        (
            json!({"type": "collection_role", "collection": "a", "role": "-c"}),
            vec!["/source/collection", "/source/role"],
        ),
        (role(json!({"version": "1.0 --pre"})), vec!["/source/version"]),
        (role(json!({"version": "-r"})), vec!["/source/version"]),
        (role(json!({"version": ""})), vec!["/source/version"]),
        (
            role(json!({"galaxy_server": "galaxy.ansible.com"})),
            vec!["/source/galaxy_server"],
        ),
        (
            role(json!({"galaxy_server": "https://user:pw@galaxy.ansible.com"})),
            vec!["/source/galaxy_server"],
        ),
        (
            role(json!({"galaxy_server": "file:///etc"})),
            vec!["/source/galaxy_server"],
        ),
        (
            role(json!({"galaxy_credential": "x"})),
            vec!["/source/galaxy_credential"],
        ),
        (json!({"type": "inline"}), vec!["/source/content"]),
        (json!({"type": "inline", "content": ""}), vec!["/source/content"]),
        (json!({"type": "inline", "content": " \n"}), vec!["/source/content"]),
        (json!({"type": "inline", "content": ["x"]}), vec!["/source/content"]),
        (json!({"type": "inline", "content": "a\u{0}b"}), vec!["/source/content"]),
    ];
    let addresses = [
        "-u",
        "--upload-pack=id",
        "ext::sh -c id",
        "file:///etc",
        "/etc",
        "http://h/r",
        "https://u:p@h/r",
        "https://h/a b",
        "https://h/../r",
        "git@h:-r",
        "a\nb",
        &long,
    ];
    cases.extend(addresses.map(|repo| {
        (
            json!({"type": "playbook", "path": "x.yml", "repo": repo}),
            vec!["/source/repo"],
        )
    }));
    let names = ["-b", "a..b", "a b", "a:b", "refs/heads/x\u{7f}", "@", &long];
    cases.extend(names.map(|name| {
        (
            json!({"type": "playbook", "path": "x.yml", "repo": "https://h/o/r", "branch": name}),
            vec!["/source/branch"],
        )
    }));
    for path in ["/x", "../x", "a/../../x", "-x", ".git/config", "~/x", "a\\b", "a\u{7}b"] {
        cases.push((
            json!({"type": "role", "repo": "https://h/o/r", "path": path}),
            vec!["/source/path"],
        ));
    }
    cases
}

fn inventories() -> Vec<Case> {
    vec![
        (json!({"type": "inline", "hosts": "a"}), vec!["/inventory/hosts"]),
        (json!({"type": "inline", "hosts": []}), vec!["/inventory/hosts"]),
        (
            json!({"type": "inline", "hosts": ["a", "", "b,c", 5]}),
            vec!["/inventory/hosts/1", "/inventory/hosts/3", "/inventory/hosts/1"],
        ),
        (
            json!({"type": "inline", "hosts": ["a"], "data": {"g": {"hosts": {"a": null}}}}),
            vec!["/inventory/data"],
        ),
        (
            json!({"type": "inline", "hosts": ["a"], "host_vars": {"b": {}}}),
            vec!["/inventory/host_vars/b"],
        ),
        (
            json!({"type": "inline", "groups": {"all": ["a"], "g": "x"}}),
            vec!["/inventory/groups/all", "/inventory/groups/g"],
        ),
        (
            json!({"type": "inline", "data": {"plugin": {"hosts": {"a": null}}}}),
            vec!["/inventory/data/plugin"],
        ),
        (json!({"type": "git"}), vec!["/inventory/repo", "/inventory/path"]),
        (
            json!({"type": "git", "repo": "-x", "path": "/etc/hosts"}),
            vec!["/inventory/repo", "/inventory/path"],
        ),
        (json!({"type": "url"}), vec!["/inventory/url"]),
        (json!({"type": "url", "url": "ftp://h/x"}), vec!["/inventory/url"]),
        (json!({"type": "url", "url": "https://u:p@h/x"}), vec!["/inventory/url"]),
        (
            json!({"type": "url", "url": "https://h/a/../x"}),
            vec!["/inventory/url"],
        ),
        (
            json!({"type": "url", "url": "https://h/a/%2e%2E/x"}),
            vec!["/inventory/url"],
        ),
        (
            json!({"type": "url", "url": "https://%31%32%37.0.0.1/x"}),
            vec!["/inventory/url"],
        ),
        (
            json!({"type": "url", "url": "https://h:+443/x"}),
            vec!["/inventory/url"],
        ),
        (json!({"type": "url", "url": "https://h\\@i/x"}), vec!["/inventory/url"]),
        (
            json!({"type": "url", "url": "https://h/x", "format": "toml", "headers": []}),
            vec!["/inventory/format", "/inventory/headers"],
        ),
        (
            json!({"type": "url", "url": "https://h/x", "headers": {"Host": "x", "A B": "x", "X": "a\nb", "Y": "${", "Z": "${../x}"}}),
            vec![
                "/inventory/headers/X",
                "/inventory/headers/A B",
                "/inventory/headers/Host",
                "/inventory/headers/Y",
                "/inventory/headers/Z",
            ],
        ),
        (json!({"type": "dynamic"}), vec!["/inventory/plugin"]),
        (
            json!({"type": "dynamic", "plugin": "../x", "config": 1}),
            vec!["/inventory/plugin", "/inventory/config"],
        ),
        (
            json!({"type": "dynamic", "plugin": "a.b.c", "config": {"plugin": "x", "secret_key": "y"}, "cloud_credential": "x"}),
            vec![
                "/inventory/config/plugin",
                "/inventory/config/secret_key",
                "/inventory/cloud_credential",
            ],
        ),
    ]
}

fn credentials() -> Vec<Case> {
    vec![
        (json!([]), vec!["/credentials"]),
        (json!({"sssh": "x"}), vec!["/credentials/sssh"]),
        (
            json!({"ssh": "", "password": 5, "become_password": ["x"], "vault_password": "../x"}),
            vec![
                "/credentials/ssh",
                "/credentials/password",
                "/credentials/become_password",
                "/credentials/vault_password",
            ],
        ),
        (json!({"ssh": {"type": "vault"}}), vec!["/credentials/ssh/type"]),
        (
            json!({"ssh": {"type": "hashicorp_vault"}}),
            vec!["/credentials/ssh/vault_path"],
        ),
        (
            json!({"ssh": {"type": "hashicorp_vault", "vault_path": "secret/../sys", "vault_key": ""}}),
            vec!["/credentials/ssh/vault_key", "/credentials/ssh/vault_path"],
        ),
        (
            json!({"ssh": {"type": "aws_secretsmanager", "region": "EU"}}),
            vec!["/credentials/ssh/secret_id", "/credentials/ssh/region"],
        ),
        (
            json!({"ssh": {"type": "aws_ssm", "name": 5, "key": "x"}}),
            vec!["/credentials/ssh/name", "/credentials/ssh/key"],
        ),
        (json!({"cloud": {"type": "gcp"}}), vec!["/credentials/cloud/type"]),
        (json!({"cloud": {"type": "aws"}}), vec!["/credentials/cloud/credential"]),
        (
            json!({"cloud": {"type": "aws", "role_arn": "deploy"}}),
            vec!["/credentials/cloud/role_arn"],
        ),
    ]
}

fn options() -> Vec<Case> {
    let long = "x".repeat(5000);
    vec![
        (json!({"check": true, "check_mode": false}), vec!["/options/check_mode"]),
        (json!({"diff_mode": "yes"}), vec!["/options/diff_mode"]),
        (
            json!({"become": 1, "flush_cache": "x"}),
            vec!["/options/become", "/options/flush_cache"],
        ),
        (
            json!({"start_at_task": long, "become_user": "a b"}),
            vec!["/options/start_at_task", "/options/become_user"],
        ),
        (
            json!({"become_method": "-x", "remote_user": "", "connection": "a/b", "strategy": ["free"]}),
            vec![
                "/options/become_method",
                "/options/remote_user",
                "/options/connection",
                "/options/strategy",
            ],
        ),
        (
            json!({"vault_ids": ["a@b@c", "x@", "@y", 5]}),
            vec![
                "/options/vault_ids/3",
                "/options/vault_ids/0",
                "/options/vault_ids/1",
                "/options/vault_ids/2",
            ],
        ),
        (
            json!({"vault_password_file": "/etc/passwd"}),
            vec!["/options/vault_password_file"],
        ),
        (
            json!({"environment": {"A": 5, "1B": "x", "C=D": "x"}}),
            vec![
                "/options/environment/A",
                "/options/environment/1B",
                "/options/environment/C=D",
            ],
        ),
        (
            json!({"labels": {"": "x", "a b": "x", "ok": 1}}),
            vec!["/options/labels/ok", "/options/labels/", "/options/labels/a b"],
        ),
        (json!({"callback_url": "ci.example.com"}), vec!["/options/callback_url"]),
        (
            json!({"callback_url": "https://user:pw@ci.example.com/x"}),
            vec!["/options/callback_url"],
        ),
    ]
}
