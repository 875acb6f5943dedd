//! A token for a Galaxy server, in a role that tries to show it.

use anyhow::ensure;
use callboard_tests::servers::Part;
use serde_json::json;

use crate::forms::Forms;

#[tokio::test]
async fn the_token_of_a_galaxy_server_gets_the_collection_and_is_left_nowhere() -> anyhow::Result<()> {
    let site = crate::site(&[Part::Galaxy])?;
    let galaxy = site.servers.galaxy()?;
    site.store("galaxy", &json!({"kind": "galaxy", "token": galaxy.token}))
        .await?;
    let look = "{{ lookup('pipe', 'cat $HOME/../fetch/* $HOME/../fetch/*/* $HOME/../fetch/*/.* $HOME/.ansible* 2>/dev/null; env') }}";
    let request = json!({
        "source": {
            "type": "collection_role", "collection": "callboard_test.base", "role": "greet", "version": "1.1.0",
            "galaxy_server": galaxy.private_url, "galaxy_credential": "galaxy",
            "role_vars": {"greeting": look},
        },
        "options": {"template_extra_vars": true, "verbosity": 4},
    });
    let played = site.play(&request).await?;
    ensure!(played.job["status"] == "successful", "{} {}", played.job, played.log);
    ensure!(played.log.contains("from base 1.1.0"), "{}", played.log);
    ensure!(
        !played.log.contains("token = "),
        "the role has found the token: {}",
        played.log
    );
    let forms = Forms::of(&[("the token", galaxy.token.as_str())]);
    forms.absent("the log", played.log.as_bytes())?;
    forms.absent("the service's log", site.service.log().as_bytes())?;
    forms.absent_below(site.data.path())?;
    forms.absent_below(site.work.path())?;
    Ok(())
}
