//! Roles of repositories that are no collections.

use anyhow::ensure;
use callboard_tests::Part;
use callboard_tests::servers::Mode::Plain;
use serde_json::{Value, json};

use crate::{World, with};

const NGINX: &str = "
- ansible.builtin.debug: {msg: \"{{ role_name }} says {{ greeting }} {{ lookup('file', 'word.txt') }}\"}
";

#[tokio::test]
async fn a_role_is_found_by_its_folder_or_its_name_with_those_that_it_depends_on() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("roles")?;
    let commit = repository.commit(
        "main",
        &[
            ("roles/nginx/tasks/main.yml", NGINX, Plain),
            ("roles/nginx/defaults/main.yml", "greeting: Hello\n", Plain),
            ("roles/nginx/files/word.txt", "filed", Plain),
            ("roles/nginx/meta/main.yml", "dependencies: [common]\n", Plain),
            ("roles/common/tasks/main.yml", &tells("common runs"), Plain),
            ("other/deep/web/tasks/main.yml", &tells("deep runs"), Plain),
            (
                "other/deep/web/meta/main.yml",
                "dependencies: [beside, common]\n",
                Plain,
            ),
            ("other/deep/beside/tasks/main.yml", &tells("beside runs"), Plain),
            ("ansible.cfg", "[defaults]\nroles_path = ./roles\n", Plain),
        ],
    )?;
    let role = json!({"type": "role", "repo": repository.url()});
    for (source, name, told) in [
        (
            with(&role, "path", "roles/nginx"),
            "roles/nginx",
            ["common runs", "nginx says Hello filed"],
        ),
        (
            with(&role, "path", "roles//nginx/."),
            "roles//nginx/.",
            ["common runs", "nginx says Hello filed"],
        ),
        (
            with(&role, "path", "./roles/nginx/"),
            "./roles/nginx/",
            ["common runs", "nginx says Hello filed"],
        ),
        (
            with(&role, "role", "nginx"),
            "nginx",
            ["common runs", "nginx says Hello filed"],
        ),
        (
            with(&role, "path", "other/deep/web"),
            "other/deep/web",
            ["beside runs", "deep runs"],
        ),
    ] {
        let played = world.succeed(&source).await?;
        for told in told {
            ensure!(
                played.log.contains(&format!("\"msg\": \"{told}\"")),
                "{source}: {}",
                played.log
            );
        }
        ensure!(
            played.job["commit"] == commit.as_str() && played.job["playbook"] == name,
            "{}",
            played.job
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_repository_can_be_a_role_and_is_called_by_its_own_name() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, name) = world.repository("ansible-role-web")?;
    repository.commit("main", &[("tasks/main.yml", &tells("{{ role_name }}"), Plain)])?;
    let played = world
        .succeed(&json!({"type": "role", "repo": repository.url()}))
        .await?;
    ensure!(played.log.contains(&format!("\"msg\": \"{name}\"")), "{}", played.log);
    ensure!(played.job["playbook"] == repository.url(), "{}", played.job);
    Ok(())
}

#[tokio::test]
async fn the_variables_of_a_role_are_data_unless_templates_are_wanted() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("role")?;
    let tasks = "- ansible.builtin.debug: {msg: \"{{ told | to_json }}\"}\n";
    repository.commit(
        "main",
        &[
            ("tasks/main.yml", tasks, Plain),
            ("defaults/main.yml", "told: none\n", Plain),
        ],
    )?;
    let told = json!({
        "template": "{{ 1 + 1 }}", "yes": "yes", "number": 7, "float": 1.5, "none": null, "true": true,
        "list": ["{{ 2 + 2 }}", "a: b # c", "'\"\\", "line\nline\u{2028}\u{1f600}\t", "!unsafe x", ""],
        "007": {"{{ key }}": "{% raw %}", "a b": []},
    });
    let mut source = json!({"type": "role", "repo": repository.url(), "role_vars": {"told": told}});
    let found = said(&world, &json!({ "source": source })).await?;
    ensure!(found == told, "{found}");
    source["role_vars"]["told"] = json!(["{{ 1 + 1 }}", {"a": "{{ word }}"}, "plain"]);
    source["role_vars"]["word"] = json!("templated");
    let request = json!({"source": source, "options": {"template_extra_vars": true}});
    let found = said(&world, &request).await?;
    ensure!(found == json!([2, {"a": "templated"}, "plain"]), "{found}");
    Ok(())
}

#[tokio::test]
async fn a_role_that_is_not_there_is_named_with_where_it_was_looked_for() -> anyhow::Result<()> {
    let world = World::start(&[Part::Git])?;
    let (repository, _) = world.repository("role")?;
    repository.commit(
        "main",
        &[
            ("roles/nginx/tasks/main.yml", &tells("x"), Plain),
            ("docs/readme.md", "", Plain),
        ],
    )?;
    let url = repository.url();
    let role = json!({"type": "role", "repo": url});
    for (source, told) in [
        (
            role.clone(),
            format!("The repository {url} has no role at its root: there is no tasks folder."),
        ),
        (
            with(&role, "path", "docs"),
            format!("The repository {url} has no role at docs: there is no tasks folder."),
        ),
        (
            with(&role, "path", "roles/apache"),
            format!("The repository {url} has no folder \"roles/apache\" at commit "),
        ),
        (
            with(&role, "path", "docs/readme.md"),
            format!("The repository {url} has no folder \"docs/readme.md\" at commit "),
        ),
        (
            with(&role, "role", "apache"),
            format!("The repository {url} is no collection and has no folder roles/apache."),
        ),
        (
            json!({"type": "role", "role": "no.such.role"}),
            "The collection no.such is not installed where jobs run.".into(),
        ),
    ] {
        let error = world.fail(&source, "source_unavailable").await?;
        ensure!(error.starts_with(&told), "{told}: {error}");
    }
    Ok(())
}

/// Runs a job; returns what its last `debug` said, read as JSON where it is that.
async fn said(world: &World, request: &Value) -> anyhow::Result<Value> {
    let played = world.play(request).await?;
    ensure!(played.job["status"] == "successful", "{} {}", played.job, played.log);
    let events = world.client.events(&played.id).await?;
    let found = events
        .iter()
        .filter_map(|event| event["event_data"]["res"].get("msg"))
        .next_back();
    Ok(match found.cloned().unwrap_or_default() {
        Value::String(text) => serde_json::from_str(&text)?,
        other => other,
    })
}

fn tells(what: &str) -> String {
    format!("- ansible.builtin.debug: {{msg: \"{what}\"}}\n")
}
