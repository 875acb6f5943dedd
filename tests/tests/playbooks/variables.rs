//! Extra variables are data unless the request says that they are templates.

use anyhow::ensure;
use callboard_tests::Service;
use serde_json::{Value, json};

#[tokio::test]
async fn templates_in_extra_vars_stay_text_wherever_they_stand() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let dir = tempfile::tempdir()?;
    let evil = format!("{{{{ lookup('pipe', 'touch {}/touched') }}}}", dir.path().display());
    for value in [
        json!("{{ 1 + 1 }}"),
        json!("{% if true %}yes{% endif %}{# comment #}"),
        json!(evil),
        json!([{"deep": [{"deeper": evil}]}, "{{ 1 + 1 }}"]),
        json!({"a": {"b": evil, "{{ key }}": 1}}),
        json!(["ünïcode 🦀", 1, 2.5, true, null, {}]),
    ] {
        let shown = show(&service, &value, false).await?;
        ensure!(shown == value, "{value} is shown as {shown}");
    }
    ensure!(!dir.path().join("touched").exists());
    Ok(())
}

#[tokio::test]
async fn templates_in_extra_vars_are_evaluated_if_the_request_says_so() -> anyhow::Result<()> {
    let (service, _data) = Service::start(&[])?;
    let value =
        json!({"sum": ["{{ 1 + 1 }}"], "host": "{{ inventory_hostname }}", "piped": "{{ lookup('pipe', 'echo x') }}"});
    let shown = show(&service, &value, true).await?;
    ensure!(
        shown == json!({"sum": [2], "host": "localhost", "piped": "x"}),
        "{shown}"
    );
    Ok(())
}

/// Returns the value of the variable `value` as Ansible has it.
async fn show(service: &Service, value: &Value, template: bool) -> anyhow::Result<Value> {
    let request = json!({
        "playbook": "features/show_vars.yml", "extra_vars": {"value": value},
        "options": {"template_extra_vars": template},
    });
    let client = service.client();
    let played = crate::play(&client, &request).await?;
    ensure!(played.job["status"] == "successful", "{}", played.log);
    ensure!(played.job["extra_vars"]["value"] == *value, "{}", played.job);
    let events = client.events(&played.id).await?;
    let shown = events.iter().find_map(|event| event["event_data"]["res"].get("value"));
    Ok(shown.cloned().unwrap_or_default())
}
