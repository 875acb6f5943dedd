//! Issuers that give everybody tokens.

use super::wanted::Wanted;

/// An issuer whose tokens anybody can get, for any audience. A rule for it must say whose tokens it is for.
struct Issuer {
    address: &'static str,
    /// The claims that tell whose a token is. Who has run a pipeline does not tell: it may be anybody's pipeline.
    owners: &'static [&'static str],
    /// What the claim `sub` begins with, where it tells that.
    sub: &'static str,
    /// What a rule may say.
    advice: &'static str,
}

const ISSUERS: [Issuer; 2] = [
    Issuer {
        address: "https://token.actions.githubusercontent.com",
        owners: &[
            "repository",
            "repository_id",
            "repository_owner",
            "repository_owner_id",
            "enterprise",
            "enterprise_id",
        ],
        sub: "repo:",
        advice: "add \"repository: OWNER/NAME\", \"repository_owner: OWNER\" or \"sub: repo:OWNER/NAME:**\"",
    },
    Issuer {
        address: "https://gitlab.com",
        owners: &["project_path", "project_id", "namespace_path", "namespace_id"],
        sub: "project_path:",
        advice: "add \"project_path: GROUP/NAME\", \"namespace_path: GROUP\" or \"sub: project_path:GROUP/NAME:**\"",
    },
];

/// Says what is wrong with the claims of a rule that would let everybody in.
pub(super) fn refusal(issuer: &str, claims: &[(String, Wanted)]) -> Option<String> {
    let known = ISSUERS.iter().find(|known| known.address == issuer)?;
    let names_owner = claims.iter().any(|(name, wanted)| {
        let (beginning, is_whole) = wanted.beginning();
        let owner = match name.as_str() {
            "sub" => beginning.strip_prefix(known.sub),
            name => known.owners.contains(&name).then_some(beginning),
        };
        owner.is_some_and(|owner| is_whole || owner.contains('/'))
    });
    (!names_owner).then(|| {
        format!(
            "must say whose tokens are accepted, since everybody can get tokens of {issuer}: {}, without a star in the owner's name",
            known.advice
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::rules::oidc::wanted;
    use crate::base::fields::{Faults, Fields};

    const GITHUB: &str = "https://token.actions.githubusercontent.com";

    #[test]
    fn everybody_is_not_let_in() {
        for (issuer, claims, refused) in [
            (GITHUB, json!({}), true),
            (GITHUB, json!({"ref": "refs/heads/main", "actor": "ann"}), true),
            (
                GITHUB,
                json!({"job_workflow_ref": "acme/flows/deploy.yml@refs/heads/main"}),
                true,
            ),
            (GITHUB, json!({"repository": "*/web"}), true),
            (GITHUB, json!({"repository": "acme*/web"}), true),
            (GITHUB, json!({"repository_owner": "ac*"}), true),
            (GITHUB, json!({"sub": "repo:*"}), true),
            (GITHUB, json!({"sub": "job_workflow_ref:acme/**"}), true),
            (GITHUB, json!({"repository": "acme/web"}), false),
            (GITHUB, json!({"repository": "acme/*", "ref": "refs/heads/main"}), false),
            (GITHUB, json!({"repository_owner_id": 12}), false),
            (GITHUB, json!({"sub": "repo:acme/web:**"}), false),
            ("https://gitlab.com", json!({"ref": "main"}), true),
            ("https://gitlab.com", json!({"repository": "acme/web"}), true),
            ("https://gitlab.com", json!({"namespace_path": "acme"}), false),
            (
                "https://gitlab.com",
                json!({"sub": "project_path:acme/web:ref_type:branch:ref:main"}),
                false,
            ),
            ("https://id.example", json!({}), false),
        ] {
            let (policy, mut faults) = (json!({ "claims": claims }), Faults::default());
            let wanted = Fields::of(&policy, "", &mut faults).map(|mut fields| wanted::read(&mut fields, &mut faults));
            let told = refusal(issuer, &wanted.unwrap_or_default());
            assert_eq!(told.is_some(), refused, "{issuer} {claims}: {told:?}");
            assert!(told.is_none_or(|told| told.contains(": add ")), "{issuer} {claims}");
        }
    }
}
