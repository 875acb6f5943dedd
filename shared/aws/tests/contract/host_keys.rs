//! The table as a store of host keys.

use callboard_aws::DynamoDbHostKeyStore;
use callboard_core::credential::HostKeyStore;
use callboard_core::credential::known_hosts::HostKey;
use callboard_testkit::aws::Resources;
use callboard_testkit::contract::samples::tenant;

pub(crate) async fn make() -> anyhow::Result<(DynamoDbHostKeyStore, Resources)> {
    let resources = Resources::create().await?;
    let store = DynamoDbHostKeyStore::new(&resources.config, resources.table.clone());
    Ok((store, resources))
}

#[tokio::test]
async fn more_keys_than_a_page_of_the_table_has_are_all_had() -> anyhow::Result<()> {
    let (store, _resources) = make().await?;
    let tenant = tenant();
    // a page has 1 MB
    let key = format!("ssh-rsa {}", "A".repeat(9000));
    let keys: Vec<HostKey> = (0..150)
        .map(|number| HostKey {
            host: format!("web{number}"),
            key: key.clone(),
        })
        .collect();
    store.keep(&tenant, &keys).await?;
    assert_eq!(store.load(&tenant).await?.len(), keys.len());
    Ok(())
}
