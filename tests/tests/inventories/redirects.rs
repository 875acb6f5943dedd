//! Where an inventory's server may lead, and which addresses are never asked.

use anyhow::ensure;
use callboard_tests::Site;
use callboard_tests::servers::Part;
use serde_json::json;

use crate::{show, site};

#[tokio::test]
async fn a_redirect_is_followed_to_its_own_host_and_the_secret_goes_nowhere_else() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let cmdb = site.servers.cmdb()?;
    site.store("cmdb", &json!({"kind": "bearer", "token": cmdb.token}))
        .await?;
    for (path, error) in [
        ("redirect/same", None),
        ("redirect/other", Some("redirects to another host")),
        ("redirect/loop", Some("redirects more than 3 times")),
    ] {
        let inventory = json!({"type": "url", "url": format!("{}/{path}", cmdb.url), "credential": "cmdb"});
        let played = site.play(&show(&inventory)).await?;
        match error {
            None => ensure!(played.job["status"] == "successful", "{path}: {}", played.job),
            Some(words) => played.failed("inventory_invalid", &[words, path])?,
        }
    }
    let other = cmdb.asked_of_other()?;
    ensure!(other.is_empty(), "{other:?}");
    Ok(())
}

#[tokio::test]
async fn private_addresses_need_the_policy_and_those_of_a_link_are_never_asked() -> anyhow::Result<()> {
    let closed = Site::start(&[Part::Cmdb], |_servers| Ok(json!({})))?;
    let cmdb = closed.servers.cmdb()?;
    let port = cmdb.url.rsplit(':').next().unwrap_or_default();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
    ] {
        let inventory = json!({"type": "url", "url": format!("http://{host}:{port}/inventory.yaml")});
        let played = closed.play(&show(&inventory)).await?;
        played.failed("inventory_invalid", &["has an address that is not public"])?;
    }
    ensure!(cmdb.log.text()?.is_empty(), "{}", cmdb.log.text()?);
    let open = Site::start(&[], |_servers| Ok(json!({"inventory_hosts": ["*"]})))?;
    for host in [
        "169.254.169.254",
        "169.254.170.2",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "2852039166",
    ] {
        let inventory =
            json!({"type": "url", "url": format!("http://{host}/latest/meta-data/iam/security-credentials/")});
        let played = open.play(&show(&inventory)).await?;
        played.failed("inventory_invalid", &["has an address that is never allowed"])?;
        ensure!(!played.job.to_string().contains("adding"), "{}", played.job);
    }
    Ok(())
}
