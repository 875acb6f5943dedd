//! `/health`.

use anyhow::ensure;
use serde_json::json;

#[tokio::test]
async fn health_tells_whether_the_service_lives_and_can_work() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let live = client.get("/health/live").await?;
    ensure!(live.status == 200 && live.body["status"] == "ok", "{live:?}");
    let ready = client.get("/health/ready").await?;
    let well = json!({"status": "ok", "error": null});
    let expected = json!({"status": "ready", "checks": {"ansible": well, "output": well, "store": well}});
    ensure!(ready.status == 200 && ready.body == expected, "{ready:?}");
    Ok(())
}
