//! Inventories that are too deep or too large for Ansible's reader: each is refused before that begins.

use anyhow::ensure;
use callboard_tests::servers::{Area, Mode, Part};
use serde_json::json;

use crate::{show, site};

/// Deeper than the stack of Ansible's reader.
const DEPTH: usize = 200_000;
const TOO_DEEP: &str = "is nested deeper than 100 levels";

#[tokio::test]
async fn what_would_end_ansible_or_its_memory_is_no_inventory() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb, Part::Git])?;
    let cmdb = &site.servers.cmdb()?.url;
    for (path, format, told) in [
        ("deep-flow", "yaml", TOO_DEEP),
        ("deep-block", "yaml", TOO_DEEP),
        ("deep-json", "yaml", TOO_DEEP),
        ("deep-json", "json", TOO_DEEP),
        ("deep-block", "ini", TOO_DEEP),
        ("aliases", "yaml", "has aliases that stand for more than 1000000 values"),
    ] {
        let inventory = json!({"type": "url", "url": format!("{cmdb}/{path}"), "format": format});
        let played = site.play(&show(&inventory)).await?;
        played.failed("inventory_invalid", &[path, told])?;
    }
    let git = site.servers.git()?;
    let (deep, large) = (
        format!("all:\n  {}x\n", "- ".repeat(DEPTH)),
        format!("# {}\n", "x".repeat(17 << 20)),
    );
    git.publish(
        "bounds",
        &[
            ("deep/hosts", &deep, Mode::Plain),
            ("beside/hosts.yml", "all: {hosts: {a: }}\n", Mode::Plain),
            ("beside/host_vars/a.yml", &deep, Mode::Plain),
            ("large/hosts.yml", &large, Mode::Plain),
        ],
    )?;
    let repo = git.repository(Area::Public, "bounds")?;
    for (path, told) in [
        ("deep/hosts", TOO_DEEP),
        ("deep", TOO_DEEP),
        ("beside/hosts.yml", "(a.yml)"),
        ("large", "has a file of more than 16777216 bytes"),
    ] {
        let inventory = json!({"type": "git", "repo": repo.url(), "path": path});
        let played = site.play(&show(&inventory)).await?;
        played.failed("inventory_invalid", &[path, told])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_playbook_that_is_too_deep_fails_with_a_sentence_and_not_by_a_signal() -> anyhow::Result<()> {
    let site = site(&[])?;
    for content in [
        "- ".repeat(DEPTH) + "x",
        format!("- hosts: all\n  vars: {{x: {}}}\n", "[".repeat(DEPTH)),
    ] {
        let played = site
            .play(&json!({"source": {"type": "inline", "content": content}}))
            .await?;
        played.failed("source_unavailable", &["The playbook of the request", TOO_DEEP])?;
        ensure!(played.log.is_empty(), "{}", played.log);
    }
    Ok(())
}
