//! Jobs that run at the same time.

use anyhow::ensure;
use callboard_tests::{Service, events};
use serde_json::json;

const JOBS: usize = 20;

#[tokio::test]
async fn twenty_jobs_on_four_workers_do_not_mix_their_output_or_their_events() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&["--workers", "4"])?;
    let client = service.client();
    let mut ids = Vec::new();
    for number in 0..JOBS {
        let request = json!({
            "playbook": "count.yml", "inventory": format!("host{number:02},"),
            "extra_vars": {"numbers": 20 + number},
        });
        ids.push(client.submit(&request).await?);
    }
    for (number, id) in ids.iter().enumerate() {
        let job = client.ended(id).await?;
        ensure!(job["status"] == "successful" && job["attempt"] == 1, "{job}");
        let (printed, told) = (client.logs(id).await?, client.events(id).await?);
        events::check(&told, &printed)?;
        let printed = String::from_utf8(printed)?;
        let host = format!("host{number:02}");
        ensure!(
            printed.matches(&format!("[{host}] => (item=")).count() == 20 + number,
            "{printed}"
        );
        ensure!(
            printed.matches(&format!("of {}", 20 + number)).count() == 20 + number,
            "{printed}"
        );
        ensure!(
            events::of_kind(&told, "runner_item_on_ok").len() == 20 + number,
            "{told:?}"
        );
        for event in &told {
            let of = event["event_data"]["host"].as_str().unwrap_or(&host);
            ensure!(event["runner_ident"] == **id && of == host, "{event}");
        }
    }
    Ok(())
}
