//! Which `ansible.cfg` a playbook gets.

use anyhow::ensure;
use callboard_tests::{Service, events};
use serde_json::json;

#[tokio::test]
async fn the_nearest_configuration_up_to_the_playbooks_folder_is_used() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let root = callboard_tests::playbooks().join("configured");
    let service = Service::start_with(data.path(), &root, &[])?;
    for (playbook, expected) in [
        ("which.yml", "of the root"),
        ("own/which.yml", "of the folder itself"),
        ("inherits/deep/which.yml", "of the root"),
    ] {
        let played = crate::play(&service.client(), &json!({"playbook": playbook})).await?;
        ensure!(
            played.log.contains(&format!("\"msg\": \"{expected}\"")),
            "{playbook}: {}",
            played.log
        );
    }
    Ok(())
}

#[tokio::test]
async fn events_come_whatever_stdout_callback_the_configuration_names() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    for callback in ["minimal", "oneline"] {
        let request = json!({"playbook": format!("features/{callback}/site.yml")});
        let played = crate::play(&service.client(), &request).await?;
        let events = service.client().events(&played.id).await?;
        for (kind, count) in [
            ("playbook_on_start", 1),
            ("playbook_on_play_start", 1),
            ("playbook_on_task_start", 3),
            ("runner_on_ok", 2),
            ("runner_on_failed", 1),
            ("playbook_on_stats", 1),
        ] {
            ensure!(
                events::of_kind(&events, kind).len() == count,
                "{callback}, {kind}: {events:?}"
            );
        }
        ensure!(!played.log.contains("TASK ["), "{callback}: {}", played.log);
    }
    Ok(())
}
