//! Reads a deployment's policy from YAML, and lists the kinds of jobs that it covers. The settings for requests of
//! every kind are in `callboard_core::policy`; each kind has its own section.

use std::sync::Arc;

use callboard_core::base::fields::{Faults, FieldError, Fields};
use callboard_core::policy::Policy;
use callboard_core::request::{Kinds, Lane};
use callboard_kind_ansible::catalog::PlaybookCatalog;
use callboard_kind_ansible::kind::Ansible;
use callboard_kind_ansible::policy::AnsiblePolicy;
use callboard_kind_service::in_force::InForce;
use callboard_kind_service::kind::Services;
use serde_json::{Value, json};

/// Why a text is not a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is not YAML.
    #[error("it is not acceptable YAML: {0}")]
    Yaml(String),
    /// Some fields are wrong.
    #[error("{}", told(.0))]
    Invalid(Vec<FieldError>),
}

/// What an operator allows, for requests of every kind and for each kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policies {
    /// For every kind.
    pub every: Arc<Policy>,
    /// For the kind `ansible`.
    pub ansible: Arc<AnsiblePolicy>,
}

impl Policies {
    /// Returns the list of job kinds, each with what it can run and what it is allowed to do. `containers` are the workers that run
    /// containers.
    #[must_use]
    pub fn kinds(self, playbooks: Arc<dyn PlaybookCatalog>, services: Arc<InForce>, containers: Lane) -> Kinds {
        let ansible = Ansible::new(self.ansible, self.every.clone(), playbooks);
        let services = Services::new(services, self.every).with_containers_in(containers);
        Kinds::new(Arc::new(ansible), vec![Arc::new(services)])
    }
}

/// An issuer whose tokens are accepted, named beside the policy: whose tokens, and what they may do in the tenant `default`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// Its address.
    pub issuer: String,
    /// Whom its tokens are for.
    pub audience: String,
    /// What their claim `sub` must be; with stars, a pattern.
    pub subject: String,
    /// What their holders may do.
    pub scopes: Vec<String>,
}

impl Policies {
    /// Lets in who shows a token of an issuer, besides those whom the policy lets in.
    ///
    /// # Errors
    /// What is wrong with it, with the names of its fields: `issuer`, `audience`, `subject`, `scopes`.
    pub fn with_issuer(self, issuer: &Issuer) -> Result<Self, Vec<(&'static str, String)>> {
        let rule = json!({
            "issuer": issuer.issuer,
            "audience": issuer.audience,
            "claims": {"sub": issuer.subject},
            "scopes": issuer.scopes,
        });
        let callers = self.every.callers().clone().with_oidc(&rule).map_err(|faults| {
            let named = faults.into_iter().map(|fault| {
                let field = fault.pointer.split('/').nth(1);
                let field = match field.unwrap_or_default() {
                    "issuer" => "issuer",
                    "audience" => "audience",
                    "claims" => "subject",
                    _ => "scopes",
                };
                (field, fault.detail)
            });
            named.collect::<Vec<_>>()
        })?;
        let mut faults = Faults::default();
        callers.check_subjects(&subjects(), &mut faults);
        let every = Arc::new(self.every.with_callers(callers));
        let policies = Self { every, ..self };
        let of_scopes = |faults: Vec<FieldError>| faults.into_iter().map(|fault| ("scopes", fault.detail)).collect();
        faults.or(policies).map_err(of_scopes)
    }
}

/// Returns what scopes can be bound to.
fn subjects() -> Vec<&'static str> {
    [callboard_kind_ansible::SUBJECTS, callboard_kind_service::kind::SUBJECTS].concat()
}

/// Reads a policy. An empty text gives the default policy, which allows only what needs no permission.
///
/// # Errors
/// [`PolicyError`] names every fault and its place.
pub fn parse(yaml: &str) -> Result<Policies, PolicyError> {
    if yaml.trim().is_empty() {
        return Ok(Policies::default());
    }
    let value: Value = serde_saphyr::from_str(yaml).map_err(|error| {
        let error = error.without_snippet();
        PolicyError::Yaml(error.to_string())
    })?;
    if value.is_null() {
        return Ok(Policies::default());
    }
    read(&value).map_err(PolicyError::Invalid)
}

fn read(value: &Value) -> Result<Policies, Vec<FieldError>> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of(value, "", &mut faults) else {
        return Err(faults.into_inner());
    };
    let policies = Policies {
        every: Arc::new(Policy::read(&mut fields, &mut faults)),
        ansible: Arc::new(AnsiblePolicy::read(&mut fields, &mut faults)),
    };
    policies.every.callers().check_subjects(&subjects(), &mut faults);
    fields.finish(&mut faults);
    faults.or(policies)
}

fn told(faults: &[FieldError]) -> String {
    let told = faults.iter().map(|fault| match fault.pointer.as_str() {
        "" => format!("it {}", fault.detail),
        pointer => format!("{pointer} {}", fault.detail),
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_or_one_of_comments_is_the_default() -> Result<(), PolicyError> {
        for text in ["", "\n", "# nothing\n", "---\n"] {
            assert_eq!(parse(text)?, Policies::default(), "{text:?}");
        }
        Ok(())
    }

    #[test]
    fn the_example_is_a_policy() {
        assert!(
            parse(include_str!("../../../examples/policy.yml")).is_ok_and(|policies| policies != Policies::default())
        );
    }

    #[test]
    fn what_the_example_has_as_a_comment_is_a_policy_as_well() -> Result<(), PolicyError> {
        let example = include_str!("../../../examples/policy.yml");
        let callers: String = example
            .lines()
            .skip_while(|line| *line != "# callers:")
            .map(|line| format!("{}\n", line.trim_start_matches("# ")))
            .collect();
        let policies = parse(&callers)?;
        let callers = policies.every.callers();
        assert_eq!((callers.oidc.len(), callers.iam.len()), (1, 1));
        Ok(())
    }

    #[test]
    fn an_issuer_beside_the_policy_must_say_whose_tokens_it_is_about() -> Result<(), PolicyError> {
        let named = |issuer: &str, subject: &str, scope: &str| Issuer {
            issuer: issuer.to_owned(),
            audience: "callboard".to_owned(),
            subject: subject.to_owned(),
            scopes: vec![scope.to_owned()],
        };
        let github = "https://token.actions.githubusercontent.com";
        let with = |issuer: Issuer| {
            parse("git: [github.com]")?
                .with_issuer(&issuer)
                .map_err(|_| PolicyError::Yaml(String::new()))
        };
        let policies = with(named(github, "repo:acme/web:**", "jobs:run[playbook=a.yml]"))?;
        assert_eq!(policies.every.callers().oidc.len(), 1);
        for (issuer, field, told) in [
            (named("http://id.example", "ann", "admin"), "issuer", "https://"),
            (named(github, "", "admin"), "subject", "must not be empty"),
            (named(github, "**", "admin"), "subject", "repo:OWNER/NAME:**"),
            (
                named("https://gitlab.com", "project_path:*", "admin"),
                "subject",
                "everybody",
            ),
            (
                named(github, "repo:acme/web:**", "jobs:fly"),
                "scopes",
                "is not a scope",
            ),
            (
                named(github, "repo:acme/web:**", "jobs:run[color=red]"),
                "scopes",
                "color",
            ),
        ] {
            let faults = Policies::default().with_issuer(&issuer).err().unwrap_or_default();
            assert!(
                faults
                    .iter()
                    .any(|(name, detail)| *name == field && detail.contains(told)),
                "{issuer:?}: {faults:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        for (text, told) in [
            ("git: [", "line 1"),
            ("git: []\ngit: []", "git"),
            ("[]", "it must be an object"),
            ("gitt: [github.com]", "/gitt is not known here"),
            ("git: [{host: a/b, org: x}]\nroles: all", "/git/0/org"),
            ("git: [{host: a/b, org: x}]\nroles: all", "/roles must be a list"),
            (
                "callers: {iam: [{arn: \"arn:aws:iam::1:user/a\", scopes: [\"jobs:run[playbok=a.yml]\"]}]}",
                "/callers/iam/0/scopes",
            ),
            (
                "callers: {oidc: [{issuer: x}]}",
                "/callers/oidc/0/issuer must begin with",
            ),
        ] {
            let error = parse(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
