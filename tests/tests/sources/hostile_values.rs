//! Sources that are refused, each with the place of its only fault.

use anyhow::Context;
use serde_json::{Value, json};

use crate::{World, host, playbook, with};

/// Addresses of repositories.
pub(crate) fn repositories(world: &World) -> anyhow::Result<Vec<(Value, &'static str)>> {
    let host = host(&world.git()?.url);
    let long = format!("https://{host}/public/{}", "x".repeat(2100));
    let hostile = [
        "-u",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c id",
        "ext::sh%20-c%20id",
        "file:///etc",
        "file:/etc",
        "/etc",
        ".",
        "../x",
        "fd::17",
        "git://HOST/public/x",
        "http://HOST/public/x",
        "ftp://HOST/public/x",
        "https://hunter2@HOST/public/x",
        "https://user:hunter2@HOST/public/x",
        "ssh://git:hunter2@HOST/x",
        "ssh://-oProxyCommand=id/x",
        "git@-oProxyCommand=id:x",
        "git@HOST:-x",
        "https://HOST/public/../x",
        "https://HOST/public/--x",
        "https://HOST",
        "https:///x",
        "https://HOST/public/x?a=b",
        "https://HOST/public/x#a",
        "https://HOST/public/a b",
        "https://HOST/public/x\u{7f}",
        "https://HOST/public/x\n",
        "https://HOST/\u{e9}",
        "https://HOST\\@example.com/x",
        "https://HOST:99999/x",
        "https://HOST/public/%2e%2e/private/x",
        "https://HOST/public/%2E%2e/private/x",
        "https://HOST/public/.%2e/private/x",
        "https://HOST/public/..%2fprivate/x",
        "https://HOST/public%2f..%2fprivate/x",
        "https://HOST/public/%5c..%5cprivate/x",
        "https://HOST/public/%252e%252e/private/x",
        "https://HOST/public/%c0%ae%c0%ae/private/x",
        "https://HOST/public/%ef%bc%8e%ef%bc%8e/private/x",
        "https://HOST/public/..%3b/private/x",
        "https://HOST/public/./x",
        "https://HOST/public/%2e/x",
        "https://HOST/public//x",
        "https://HOST//public/x",
        "https://HOST/public/x//",
        "https://HOST/public/%2d-x",
        "https://HOST/public/%00",
        "https://HOST/public/%0ax",
        "https://HOST/public/%zz",
        "https://HOST/public/x%",
        "ssh://git@HOST/public/%2e%2e/private/x",
        "git@127.0.0.1:public/%2e%2e/private/x",
        "https://127.0.0.1:/public/x",
        "https://127.0.0.1:+443/public/x",
        "https://2130706433/public/x",
        "https://0x7f.1/public/x",
        "https://127.1/public/x",
        "https://0177.0.0.1/public/x",
        "",
    ];
    let of = |repo: String| (playbook(&repo, "site.yml"), "/source/repo");
    Ok(hostile
        .map(|repo| repo.replace("HOST", host))
        .into_iter()
        .chain([long])
        .map(of)
        .collect())
}

/// Branches, paths and roles, and other fields that do not go together.
pub(crate) fn references(world: &World) -> anyhow::Result<Vec<(Value, &'static str)>> {
    let good = playbook(&format!("{}/public/x.git", world.git()?.url), "site.yml");
    let role = json!({"type": "role", "repo": good["repo"]});
    let long = "x/".repeat(600);
    let of = |source: &Value, name: &str, pointer, values: &[&str]| -> Vec<(Value, &'static str)> {
        values
            .iter()
            .map(|value| (with(source, name, *value), pointer))
            .collect()
    };
    let branches = [
        "-b",
        "--upload-pack=id",
        "a..b",
        "a b",
        "a:b",
        "a\nb",
        "\u{1b}[31m",
        "a~1",
        "a^{}",
        "@",
        "a@{1}",
        "a\\b",
        "*",
        "a.lock",
        "/a",
        "a/",
        "",
        &long[..300],
        &long,
    ];
    let paths = [
        "-x.yml",
        "--list-hosts",
        "/etc/passwd",
        "../x.yml",
        "a/../../x.yml",
        "..",
        ".git/config",
        "a/.GIT/config",
        "~/x.yml",
        "a\\b",
        "a\nb.yml",
        "\u{0}",
        "",
        &long,
    ];
    let roles = ["../x", "-x", ".x", "a/b", "a b", "{{ x }}", "a\nb", ""];
    let other = json!({"type": "playbook", "path": "site.yml"});
    Ok([
        of(&good, "branch", "/source/branch", &branches),
        of(&good, "path", "/source/path", &paths),
        of(&role, "path", "/source/path", &paths[..12]),
        of(&role, "role", "/source/role", &roles),
        of(&other, "branch", "/source/branch", &["main"]),
        of(&other, "git_credential", "/source/git_credential", &["key"]),
        of(&other, "path", "/source/path", &["/etc/passwd", "../x.yml"]),
        vec![
            (with(&good, "submodules", "yes"), "/source/submodules"),
            (with(&good, "content", "x"), "/source/content"),
            (
                with(&role, "role_vars", json!({"a": [{"__ansible_unsafe": "x"}]})),
                "/source/role_vars/a/0/__ansible_unsafe",
            ),
            (json!({"type": "git", "repo": "x"}), "/source/type"),
            (json!({"type": "role", "path": "x"}), "/source/path"),
        ],
    ]
    .concat())
}

/// Roles of collections.
pub(crate) fn collections(world: &World) -> anyhow::Result<Vec<(Value, &'static str)>> {
    let server = &world.servers.galaxy()?.url;
    let good = json!({"type": "collection_role", "collection": "callboard_test.base", "role": "greet", "galaxy_server": server});
    let names = [
        "base",
        "a.b.c",
        "-a.b",
        "../a.b",
        "a.b -p x",
        "https://x/y.tar.gz",
        "git+https://x/y",
        "/tmp/x.tar.gz",
        "a.b:1",
        "a.b\n",
        "",
    ];
    let versions = [
        "-r",
        "--force",
        "latest please",
        "../x",
        "1.0;id",
        "{{ x }}",
        ">=",
        "",
        "\n1",
    ];
    let servers = [
        "-s",
        "file:///etc",
        "ftp://x/",
        "https://user:hunter2@x/",
        "https://x/?a=b",
        "https://x/\n[galaxy]",
        "https://x/a b",
        "https://x/api/../y",
        "https://x/api/%2e%2e/y",
        "https://x:/",
        "https://x:+443/",
        "https://%31%32%37.0.0.1/",
        "https://x\\@y/",
        "https://",
        "",
    ];
    let of = |name: &str, pointer, values: &[&str]| -> Vec<(Value, &'static str)> {
        values
            .iter()
            .map(|value| (with(&good, name, *value), pointer))
            .collect()
    };
    let mut alone = good.clone();
    alone.as_object_mut().context("an object")?.remove("galaxy_server");
    Ok([
        of("collection", "/source/collection", &names),
        of("role", "/source/role", &["-x", "../x", "a/b", "a b", ""]),
        of("version", "/source/version", &versions),
        of("galaxy_server", "/source/galaxy_server", &servers),
        vec![(with(&alone, "galaxy_credential", "key"), "/source/galaxy_credential")],
    ]
    .concat())
}
