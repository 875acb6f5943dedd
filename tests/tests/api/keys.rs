//! `callboard rotate-key`, beside a service that goes on.

use anyhow::ensure;
use callboard_core::base::id::Tenant;
use callboard_core::credential::CredentialStore;
use callboard_embedded::{Database, SqliteCredentialStore};
use callboard_tests::contract::credential_store::{bodies, credential};
use callboard_tests::{Finished, callboard};
use serde_json::json;

#[tokio::test]
async fn the_key_is_rotated_while_the_service_runs_and_no_value_changes() -> anyhow::Result<()> {
    let (service, data) = crate::start(&[])?;
    let client = service.client();
    let file = data.path().join("callboard.key");
    let add = async |name: String, index: usize| {
        let mut body = bodies().swap_remove(index);
        body["name"] = json!(name);
        let answer = client.post("/api/v1/credentials", body.to_string()).await?;
        ensure!(answer.status == 201, "{answer:?}");
        Ok(())
    };
    for number in 0..3 {
        add(format!("c{number}"), number).await?;
    }
    let before = std::fs::read_to_string(&file)?;
    let rotated = Finished::from(callboard(data.path())?.arg("rotate-key").output()?);
    ensure!(
        rotated.code == 0 && rotated.stdout.starts_with("3 credentials"),
        "{rotated:?}"
    );
    let after = std::fs::read_to_string(&file)?;
    ensure!(after.lines().count() == before.lines().count() + 1 && after != before);
    let audit = client.get("/api/v1/audit?action=encryption_key.rotate").await?.body;
    let entry = &audit["entries"][0];
    let by = entry["by"].as_str().unwrap_or_default();
    ensure!(
        by.starts_with("cli:") && rotated.stdout.contains(entry["object"].as_str().unwrap_or("?")),
        "{audit}"
    );
    add("c3".to_owned(), 3).await?;
    let store = SqliteCredentialStore::new(Database::open(&data.path().join("callboard.db"))?, file.clone());
    for (number, body) in bodies().iter().take(4).enumerate() {
        let found = store.get(&Tenant::default(), &format!("c{number}")).await?;
        ensure!(found == credential(body)?, "c{number} differs");
    }
    std::fs::remove_file(&file)?;
    let refused = Finished::from(callboard(data.path())?.arg("rotate-key").output()?);
    ensure!(
        refused.code == 1 && refused.stderr.contains(&file.display().to_string()),
        "{refused:?}"
    );
    Ok(())
}
