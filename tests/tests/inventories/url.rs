//! Inventories at URLs: their formats, and what is no inventory.

use anyhow::ensure;
use callboard_tests::servers::Part;
use serde_json::json;

use crate::{show, site};

#[tokio::test]
async fn every_format_gives_the_same_hosts_groups_and_variables() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let cmdb = site.servers.cmdb()?;
    for (address, path, format) in [
        (&cmdb.url, "inventory.yaml", None),
        (&cmdb.https_url, "inventory.yaml?of=all&sure", Some("yaml")),
        (&cmdb.url, "inventory.json", Some("json")),
        (&cmdb.url, "inventory.json", None),
        (&cmdb.url, "list.json", Some("json")),
        (&cmdb.https_url, "inventory.ini", Some("ini")),
    ] {
        let mut inventory = json!({"type": "url", "url": format!("{address}/{path}")});
        if let Some(format) = format {
            inventory["format"] = json!(format);
        }
        let played = site.play(&show(&inventory)).await?;
        let expected = ["web1 web cmdb front 1", "web2 web cmdb front 2", "db1 db cmdb back 3"];
        ensure!(
            played.messages() == expected,
            "{inventory}: {} {}",
            played.job,
            played.log
        );
        let told = &played.job["result"]["inventory"];
        let expected =
            json!({"hosts": 3, "groups": 2, "group_hosts": {"db": 1, "web": 2}, "host_names": ["web1", "web2", "db1"]});
        ensure!(*told == expected, "{inventory}: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_inventory_of_its_format_fails_the_job_with_the_plugins_reason() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let url = &site.servers.cmdb()?.url;
    for (path, format, words) in [
        ("not-an-inventory", "yaml", ["could not be read", ""]),
        ("not-an-inventory", "ini", ["could not be read", "html"]),
        ("not-an-inventory", "json", ["/not-an-inventory is not JSON", ""]),
        ("inventory.yaml", "ini", ["could not be read", ""]),
        ("nowhere", "yaml", ["/nowhere", "status 404"]),
    ] {
        let inventory = json!({"type": "url", "url": format!("{url}/{path}?token=in-the-query"), "format": format});
        let played = site.play(&show(&inventory)).await?;
        played.failed("inventory_invalid", &words)?;
        let error = played.job["error"].to_string();
        ensure!(!error.contains("in-the-query"), "the error tells the query: {error}");
    }
    Ok(())
}
