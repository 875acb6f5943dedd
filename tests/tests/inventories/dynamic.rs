//! Inventories that plugins make: `amazon.aws.aws_ec2` against the EC2 of the emulators.

mod ec2;

use anyhow::ensure;
use callboard_tests::Site;
use callboard_tests::aws::endpoints;
use serde_json::{Value, json};

use crate::show;

const OWNER: &str = "222222222222";
const STRANGER: &str = "333333333333";

/// A service with boto3 and the collections of the worker's image.
fn site() -> anyhow::Result<Site> {
    let collections = endpoints::collections()?;
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/worker/requirements.txt");
    let policy = json!({"inventory_plugins": ["amazon.aws.*"], "environment": ["AWS_ENDPOINT_URL"]});
    Site::start_with(
        &[],
        |_servers| Ok(policy),
        |command| {
            command.args(["--requirements", packages]);
            command.env("ANSIBLE_COLLECTIONS_PATH", collections);
            Ok(())
        },
    )
}

fn keys(id: &str) -> Value {
    json!({"kind": "cloud", "access_key_id": id, "secret_access_key": format!("key-of-{id}"), "region": "us-east-1"})
}

fn request(config: &Value, credential: Option<&str>, endpoint: &str) -> Value {
    let mut inventory = json!({"type": "dynamic", "plugin": "amazon.aws.aws_ec2", "config": config});
    if let Some(credential) = credential {
        inventory["cloud_credential"] = json!(credential);
    }
    let mut request = show(&inventory);
    request["options"]["environment"] = json!({"AWS_ENDPOINT_URL": endpoint});
    request
}

#[tokio::test]
async fn instances_become_hosts_and_their_tags_groups_for_whoever_has_the_keys() -> anyhow::Result<()> {
    let (site, endpoint) = (site()?, endpoints::url()?);
    let mark = format!("callboard-{}", std::process::id());
    for (name, role) in [("ec2-web1", "web"), ("ec2-web2", "web"), ("ec2-db1", "db")] {
        ec2::run_instance(&endpoint, OWNER, &[("Name", name), ("role", role), ("mark", &mark)]).await?;
    }
    site.store("owner", &keys(OWNER)).await?;
    site.store("stranger", &keys(STRANGER)).await?;
    let config = json!({
        "regions": ["us-east-1"], "filters": {"tag:mark": mark}, "hostnames": ["tag:Name"],
        "keyed_groups": [{"key": "tags.role", "prefix": "role"}], "compose": {"rank": "instance_type"},
        "groups": {"first": "tags.Name.endswith('1')"},
    });
    let played = site.play(&request(&config, Some("owner"), &endpoint)).await?;
    ensure!(played.job["status"] == "successful", "{} {}", played.job, played.log);
    let told = &played.job["result"]["inventory"];
    let groups = json!({"aws_ec2": 3, "first": 2, "role_db": 1, "role_web": 2});
    ensure!(told["hosts"] == 3 && told["group_hosts"] == groups, "{told}");
    let messages = played.messages();
    ensure!(
        messages
            .iter()
            .any(|told| told.starts_with("ec2-db1 aws_ec2+first+role_db ")),
        "{messages:?}"
    );

    let played = site.play(&request(&config, Some("stranger"), &endpoint)).await?;
    played.failed("inventory_invalid", &["names no hosts"])
}

#[tokio::test]
async fn keys_that_are_absent_or_refused_are_told_in_plain_words() -> anyhow::Result<()> {
    let site = site()?;
    let refusing = ec2::refusing().await?;
    let config = json!({"regions": ["us-east-1"]});
    site.store("owner", &keys(OWNER)).await?;
    let played = site.play(&request(&config, Some("owner"), &refusing)).await?;
    played.failed(
        "inventory_invalid",
        &["could not be read", "AWS was not able to validate"],
    )?;
    let told = format!("{} {}", played.job, played.log);
    ensure!(!told.contains(&format!("key-of-{OWNER}")), "{told}");

    let played = site.play(&request(&config, None, &refusing)).await?;
    played.failed("inventory_invalid", &["could not be read", "credentials"])
}

#[tokio::test]
async fn a_plugin_that_the_policy_does_not_name_is_refused() -> anyhow::Result<()> {
    let site = Site::start(&[], |_servers| Ok(json!({"inventory_plugins": ["amazon.aws.aws_ec2"]})))?;
    for plugin in [
        "community.general.proxmox",
        "script",
        "amazon.aws.aws_rds",
        "amazon.aws.aws_ec2x",
    ] {
        let inventory = json!({"type": "dynamic", "plugin": plugin});
        let faults = site.refused(&show(&inventory)).await?;
        let told = faults["/inventory/plugin"].as_str().unwrap_or_default();
        ensure!(
            told.contains(plugin) && told.contains("\"inventory_plugins\" of the policy"),
            "{faults}"
        );
    }
    Ok(())
}
