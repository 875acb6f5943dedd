//! `/health`.

use anyhow::ensure;
use serde_json::json;

#[tokio::test]
async fn health_tells_whether_the_functions_live_and_have_their_table() -> anyhow::Result<()> {
    let (stack, _data) = crate::start(&[])?;
    let client = stack.client();
    let live = client.get("/health/live").await?;
    ensure!(live.status == 200 && live.body["status"] == "ok", "{live:?}");
    let ready = client.get("/health/ready").await?;
    let expected = json!({"status": "ready", "checks": {"store": {"status": "ok", "error": null}}});
    ensure!(ready.status == 200 && ready.body == expected, "{ready:?}");
    let table = &stack.resources.table;
    stack.resources.delete_table().await?;
    let unready = client.get("/health/ready").await?;
    ensure!(
        unready.status == 503
            && unready.body["checks"]["store"]["status"] == "failing"
            && !unready.body.to_string().contains(table),
        "{unready:?}"
    );
    Ok(())
}
