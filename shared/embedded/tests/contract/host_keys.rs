//! Files of host keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::HostKeyStore;
use callboard_core::credential::known_hosts::HostKey;
use callboard_embedded::FileHostKeyStore;
use tempfile::TempDir;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMSfNIH3MoVOc8yMlMVdiMdWLZmjBIzQSbSSvZAr7skT";

pub(crate) async fn make() -> anyhow::Result<(FileHostKeyStore, TempDir)> {
    let folder = tempfile::tempdir()?;
    Ok((FileHostKeyStore::new(folder.path().to_owned()), folder))
}

#[tokio::test]
async fn a_file_is_its_owner_s_and_what_an_operator_has_written_into_it_stays() -> anyhow::Result<()> {
    let (store, folder) = make().await?;
    let tenant = Tenant::default();
    let path = folder.path().join("known_hosts/default");
    let key = HostKey {
        host: "web2".to_owned(),
        key: KEY.to_owned(),
    };
    store.keep(&tenant, std::slice::from_ref(&key)).await?;
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    fs::write(&path, format!("# ours\n*.lab {KEY}\nweb1 {KEY} root@web1"))?;
    store.keep(&tenant, std::slice::from_ref(&key)).await?;
    let text = format!("# ours\n*.lab {KEY}\nweb1 {KEY} root@web1\n{key}\n");
    assert_eq!(fs::read_to_string(&path)?, text);
    store.forget(&tenant, "web1").await?;
    assert_eq!(fs::read_to_string(&path)?, format!("# ours\n*.lab {KEY}\n{key}\n"));
    assert_eq!(store.load(&tenant).await?, [key]);
    Ok(())
}

#[tokio::test]
async fn a_tenant_whose_name_is_no_file_s_is_rejected() -> anyhow::Result<()> {
    let (store, _folder) = make().await?;
    for name in ["", "../a", ".lock", "a/b"] {
        let loaded = store.load(&Tenant::from(name.to_owned())).await;
        assert!(matches!(loaded, Err(StoreError::Rejected(_))), "{name}");
    }
    Ok(())
}
