//! Servers that answer badly.

use anyhow::ensure;
use callboard_tests::servers::Part;
use serde_json::json;

use crate::{show, site};

/// The fetch of an inventory has 30 s; all of these jobs run at once.
#[tokio::test]
async fn a_bad_answer_fails_the_job_with_its_address_and_nothing_of_its_body() -> anyhow::Result<()> {
    let site = site(&[Part::Cmdb])?;
    let (client, cmdb) = (site.client(), site.servers.cmdb()?);
    let mut jobs = Vec::new();
    for (path, words) in [
        ("slow", "did not answer in time"),
        ("drip", "did not answer in time"),
        ("large", "more than 16777216 bytes"),
        ("broken", "status 500"),
    ] {
        let inventory = json!({"type": "url", "url": format!("{}/{path}", cmdb.url)});
        jobs.push((client.submit(&show(&inventory)).await?, path, words));
    }
    for (id, path, words) in jobs {
        let played = site.played(&id).await?;
        played.failed("inventory_invalid", &[words, &format!("{}/{path}", cmdb.url)])?;
        ensure!(
            !format!("{} {}", played.job, played.log).contains(&cmdb.canary),
            "{}",
            played.job
        );
    }
    let inventory = json!({"type": "url", "url": "http://127.0.0.1:1/inventory"});
    let played = site.play(&show(&inventory)).await?;
    played.failed(
        "inventory_invalid",
        &["http://127.0.0.1:1/inventory", "cannot be reached"],
    )?;
    ensure!(!site.service.log().contains(&cmdb.canary), "{}", site.service.log());
    Ok(())
}
