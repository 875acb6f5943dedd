//! What the operator allows: `--policy` and `CALLBOARD_POLICY`.

use anyhow::ensure;
use callboard_tests::{Finished, Service, callboard, playbooks};
use serde_json::json;

const VARIABLE: &str = "CALLBOARD_POLICY";

#[tokio::test]
async fn what_the_policy_lists_is_taken_and_all_else_is_refused_with_what_to_add() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("policy.yml");
    std::fs::write(&file, "environment: [APP_*]\n")?;
    let from_file = Service::start_in(&folder.path().join("data"), &["--policy", &file.display().to_string()])?;
    let mut command = callboard(&folder.path().join("other"))?;
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
        .arg(playbooks());
    let from_variable = Service::spawn({
        command.env(VARIABLE, "{environment: [APP_STAGE]}");
        command
    })?;
    for service in [from_file, from_variable] {
        let job = |name: &str| json!({"playbook": "hello.yml", "options": {"environment": {name: "x"}}}).to_string();
        let client = service.client();
        let taken = client.post("/api/v1/jobs", job("APP_STAGE")).await?;
        ensure!(taken.status == 202, "{taken:?}");
        let refused = client.post("/api/v1/jobs", job("DB_NAME")).await?;
        let error = &refused.body["errors"][0];
        ensure!(
            refused.status == 422 && error["pointer"] == "/options/environment/DB_NAME",
            "{refused:?}"
        );
        ensure!(
            error["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("adding \"DB_NAME\"")),
            "{error}"
        );
    }
    Ok(())
}

#[test]
fn a_policy_that_cannot_be_read_ends_the_program_with_its_file_and_the_place() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("policy.yml");
    let path = file.display().to_string();
    let run = |variable: &str, arguments: &[&str]| {
        let mut command = callboard(folder.path())?;
        command
            .arg("serve")
            .arg("--playbooks")
            .arg(playbooks())
            .args(["--listen", "127.0.0.1:0"]);
        anyhow::Ok(Finished::from(
            command.args(arguments).env(VARIABLE, variable).output()?,
        ))
    };
    let missing = run("", &["--policy", &path])?;
    ensure!(missing.code == 1 && missing.stderr.contains(&path), "{missing:?}");
    for (text, place) in [
        ("git: [", "line 1"),
        ("gitt: []", "/gitt"),
        ("roles: [1]", "/roles/0"),
        ("known_hosts: |\n  # web\n  web1 AAAA\n", "/known_hosts line 2 "),
        (
            "host_key_checking: ask",
            "/host_key_checking is not known here; known are \"strict\", \"accept-new\"",
        ),
    ] {
        std::fs::write(&file, text)?;
        let by_file = run("", &["--policy", &path])?;
        ensure!(
            by_file.code == 1 && by_file.stderr.contains(&path) && by_file.stderr.contains(place),
            "{by_file:?}"
        );
        let by_variable = run(text, &[])?;
        let told = &by_variable.stderr;
        ensure!(
            by_variable.code == 1 && told.contains(VARIABLE) && told.contains(place),
            "{by_variable:?}"
        );
    }
    Ok(())
}
