//! What the operator of a deployment allows for requests of every kind. Each kind also has a section of its own.

use super::quotas::Quotas;
use crate::access::CallerRules;
use crate::base::fields::{Faults, Fields};
use crate::credential::{CloudRef, CredentialRef};

const MAX_LINE_BYTES: usize = 2048;

/// What requests of every kind may reach. Everything that is not listed is refused, and the refusal says what to add.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Policy {
    roles: Vec<String>,
    secrets: Vec<String>,
    callers: CallerRules,
    quotas: Quotas,
}

impl Policy {
    /// Reads its own fields of a policy; adds every fault with its pointer.
    pub fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let policy = Self {
            roles: fields.lines("roles", MAX_LINE_BYTES, faults),
            secrets: fields.lines("secrets", MAX_LINE_BYTES, faults),
            callers: CallerRules::read(fields, faults),
            quotas: Quotas::read(fields, faults),
        };
        let wrong = "must be the ARN of a role, or a pattern of ARNs";
        check_starts("roles", &policy.roles, &["arn:"], wrong, faults);
        let keepers = ["aws_secretsmanager:", "aws_ssm:", "hashicorp_vault:"];
        let wrong = "must begin with aws_secretsmanager:, aws_ssm: or hashicorp_vault:";
        check_starts("secrets", &policy.secrets, &keepers, wrong, faults);
        policy
    }

    /// Returns whom the operator lets in besides holders of API keys.
    #[must_use]
    pub fn callers(&self) -> &CallerRules {
        &self.callers
    }

    /// Returns the same policy with other callers.
    #[must_use]
    pub fn with_callers(&self, callers: CallerRules) -> Self {
        Self {
            callers,
            ..self.clone()
        }
    }

    /// Returns how much each tenant may use.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// Returns whether the worker may assume a role with its own identity.
    #[must_use]
    pub fn allows_role(&self, arn: &str) -> bool {
        listed(&self.roles, arn)
    }

    /// Returns whether the worker may read a secret with its own identity; `place` is `aws_secretsmanager:NAME` or `aws_ssm:NAME`.
    #[must_use]
    pub fn allows_secret(&self, place: &str) -> bool {
        listed(&self.secrets, place)
    }

    /// Adds a fault for a secret that the worker's own identity may not read.
    pub fn check_reference(&self, credential: &CredentialRef, pointer: &str, faults: &mut Faults) {
        let CredentialRef::External(secret) = credential else {
            return;
        };
        let Some(place) = secret.place_of_own_identity() else {
            return;
        };
        if !self.allows_secret(&place) {
            faults.add(pointer, refusal(&place, "secrets", &place));
        }
    }

    /// Adds a fault for cloud access that the worker's own identity may not give.
    pub fn check_cloud(&self, cloud: &CloudRef, pointer: &str, faults: &mut Faults) {
        let CloudRef::Aws(aws) = cloud else { return };
        match (&aws.credential, &aws.role_arn) {
            (Some(credential), _) => self.check_reference(credential, &format!("{pointer}/credential"), faults),
            (None, Some(role)) if !self.allows_role(role) => {
                faults.add(format!("{pointer}/role_arn"), refusal(role, "roles", role));
            }
            _ => {}
        }
    }
}

/// Adds a fault for every entry of a list that nothing can match, because such an entry is a mistake.
pub fn check_starts(name: &str, entries: &[String], starts: &[&str], wrong: &str, faults: &mut Faults) {
    for (index, entry) in entries.iter().enumerate() {
        let fixed = entry.split_once('*').map(|(fixed, _)| fixed);
        let fits = |start: &&str| entry.starts_with(*start) || fixed.is_some_and(|fixed| start.starts_with(fixed));
        if !starts.iter().any(fits) {
            faults.add(format!("/{name}/{index}"), wrong);
        }
    }
}

/// Says that something is not allowed, and how to allow it.
#[must_use]
pub fn refusal(what: &str, list: &str, entry: &str) -> String {
    format!(
        "{what:?} is not allowed here; an operator allows it by adding {entry:?} to {list:?} of the policy (--policy, CALLBOARD_POLICY)"
    )
}

/// Returns whether a list has a text, or a pattern that matches it, in which `*` stands for anything.
#[must_use]
pub fn listed(list: &[String], text: &str) -> bool {
    list.iter().any(|pattern| matches(pattern, text))
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(start) else {
        return false;
    };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_stands_for_what_its_stars_leave_open() {
        for (pattern, text, expected) in [
            ("arn:aws:iam::1:role/deploy-*", "arn:aws:iam::1:role/deploy-web", true),
            ("arn:aws:iam::1:role/deploy-*", "arn:aws:iam::2:role/deploy-web", false),
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("APP_X", "APP_Y", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_entry_that_nothing_can_match_is_refused() {
        for (policy, pointer) in [
            (json!({"roles": [1]}), "/roles/0"),
            (json!({"roles": ["deploy"]}), "/roles/0"),
            (json!({"secrets": ["foo"]}), "/secrets/0"),
        ] {
            let mut faults = Faults::default();
            if let Some(mut fields) = Fields::of(&policy, "", &mut faults) {
                Policy::read(&mut fields, &mut faults);
            }
            let pointers: Vec<String> = faults.into_inner().into_iter().map(|fault| fault.pointer).collect();
            assert_eq!(pointers, [pointer], "{policy}");
        }
    }
}
