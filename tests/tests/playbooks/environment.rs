//! Variables for the environment of `ansible-playbook`, and what they turn on.

use std::fs;

use anyhow::ensure;
use callboard_tests::Service;
use serde_json::json;
use tempfile::TempDir;

/// Starts a service whose policy allows some variables.
fn allowing(names: &[&str]) -> anyhow::Result<(Service, TempDir)> {
    let data = tempfile::tempdir()?;
    let policy = data.path().join("policy.yml");
    fs::write(&policy, format!("environment: [{}]\n", names.join(", ")))?;
    let service = Service::start_in(data.path(), &["--policy", &policy.display().to_string()])?;
    Ok((service, data))
}

#[tokio::test]
async fn variables_that_the_policy_names_are_in_the_environment_and_no_other_is_taken() -> anyhow::Result<()> {
    let (service, _data) = allowing(&["SITE_COLOUR", "ANSIBLE_STRATEGY"])?;
    let mut request = json!({
        "playbook": "features/show_vars.yml", "extra_vars": {"value": "{{ lookup('env', 'SITE_COLOUR') }}"},
        "options": {"template_extra_vars": true, "environment": {"SITE_COLOUR": "blue = 'ö' $HOME"}},
    });
    let played = crate::play(&service.client(), &request).await?;
    ensure!(played.log.contains("\"value\": \"blue = 'ö' $HOME\""), "{}", played.log);
    ensure!(
        played.job["options"]["environment"]["SITE_COLOUR"] == "blue = 'ö' $HOME",
        "{}",
        played.job
    );

    request["options"]["environment"] = json!({"LD_PRELOAD": "/tmp/x.so"});
    let answer = service.client().post("/api/v1/jobs", request.to_string()).await?;
    ensure!(answer.status == 422, "{answer:?}");
    ensure!(
        answer.body["errors"][0]["pointer"] == "/options/environment/LD_PRELOAD",
        "{answer:?}"
    );

    request["options"]["environment"] = json!({"ANSIBLE_STRATEGY": "nonsense"});
    let played = crate::play(&service.client(), &request).await?;
    ensure!(played.log.contains("nonsense"), "{}", played.log);
    request["options"]["strategy"] = json!("linear");
    let played = crate::play(&service.client(), &request).await?;
    ensure!(played.job["status"] == "successful", "{}", played.log);
    Ok(())
}

#[tokio::test]
async fn flush_cache_forgets_the_facts_that_earlier_jobs_have_kept() -> anyhow::Result<()> {
    let names = ["ANSIBLE_CACHE_PLUGIN", "ANSIBLE_CACHE_PLUGIN_CONNECTION", "SITE_COLOUR"];
    let (service, _data) = allowing(&names)?;
    let cache = tempfile::tempdir()?;
    for (flush, colour, known) in [
        (false, "blue", "unknown"),
        (false, "green", "blue"),
        (true, "red", "unknown"),
        (false, "red", "red"),
    ] {
        let environment = json!({
            "ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": cache.path(), "SITE_COLOUR": colour,
        });
        let options = json!({"flush_cache": flush, "environment": environment});
        let request = json!({"playbook": "features/remember.yml", "options": options});
        let played = crate::play(&service.client(), &request).await?;
        let told = format!("\"the colour is {known}\"");
        ensure!(played.log.contains(&told), "{colour}, {flush}: {}", played.log);
    }
    Ok(())
}
