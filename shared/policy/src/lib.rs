//! Reads the policy of a deployment from YAML. What a policy may say is in `callboard_core::policy`.

use callboard_core::fields::FieldError;
use callboard_core::policy::Policy;
use serde_json::Value;

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no YAML.
    #[error("it is not YAML that can be taken: {0}")]
    Yaml(String),
    /// Fields are wrong.
    #[error("{}", told(.0))]
    Invalid(Vec<FieldError>),
}

/// Reads a policy; an empty text is the default one, which allows nothing but what needs no permission.
///
/// # Errors
/// [`PolicyError`] names every fault and its place.
pub fn parse(yaml: &str) -> Result<Policy, PolicyError> {
    if yaml.trim().is_empty() {
        return Ok(Policy::default());
    }
    let value: Value = serde_saphyr::from_str(yaml).map_err(|error| {
        let error = error.without_snippet();
        PolicyError::Yaml(error.to_string())
    })?;
    Policy::read(&value).map_err(PolicyError::Invalid)
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
            assert_eq!(parse(text)?, Policy::default(), "{text:?}");
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
        ] {
            let error = parse(text).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
