//! Whom the operator lets in besides holders of API keys: the field `callers` of a policy.

pub(super) mod grant;
mod iam;
mod oidc;

use serde_json::Value;

use self::grant::Grant;
pub use self::iam::IamRule;
pub use self::oidc::OidcRule;
use super::caller::Caller;
use crate::base::fields::{Faults, FieldError, Fields};

/// How long a line of the rules may be, in bytes.
const MAX_LINE_BYTES: usize = 2048;

/// Whom the operator lets in, with which tenant and scopes. The first rule that fits a caller holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallerRules {
    /// Whose tokens of OpenID Connect are accepted.
    pub oidc: Vec<OidcRule>,
    /// Which identities of AWS are accepted.
    pub iam: Vec<IamRule>,
    /// As whom messages of other systems come, from SQS.
    sqs: Option<Grant>,
    /// As whom events and schedules come, from EventBridge.
    eventbridge: Option<Grant>,
}

impl CallerRules {
    /// Reads the field `callers` of a policy; adds every fault with its pointer.
    pub fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let pointer = fields.pointer("callers");
        let Some(mut callers) = fields
            .get("callers")
            .and_then(|value| Fields::of(value, &pointer, faults))
        else {
            return Self::default();
        };
        let rules = Self {
            oidc: list(&mut callers, "oidc", OidcRule::read, faults),
            iam: list(&mut callers, "iam", IamRule::read, faults),
            sqs: one(&mut callers, "sqs", faults),
            eventbridge: one(&mut callers, "eventbridge", faults),
        };
        callers.finish(faults);
        rules
    }

    /// Adds a rule for tokens, after the others.
    ///
    /// # Errors
    /// Every fault of the rule, with its pointer.
    pub fn with_oidc(mut self, rule: &Value) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults::default();
        if let Some(mut fields) = Fields::of(rule, "", &mut faults) {
            self.oidc.extend(OidcRule::read(&mut fields, &mut faults));
            fields.finish(&mut faults);
        }
        faults.or(self)
    }

    /// Adds a fault for every scope that is bound to something of which no kind of job knows. `subjects` are those of all kinds.
    pub fn check_subjects(&self, subjects: &[&str], faults: &mut Faults) {
        let oidc = self.oidc.iter().map(OidcRule::scopes).enumerate();
        let iam = self.iam.iter().map(IamRule::scopes).enumerate();
        let sqs = self.sqs.iter().map(|grant| ("sqs".to_owned(), grant.scopes()));
        let all = oidc
            .map(|(index, scopes)| (format!("oidc/{index}"), scopes))
            .chain(iam.map(|(index, scopes)| (format!("iam/{index}"), scopes)))
            .chain(sqs)
            .chain(
                self.eventbridge
                    .iter()
                    .map(|grant| ("eventbridge".to_owned(), grant.scopes())),
            );
        for (place, scopes) in all {
            if let Some(told) = scopes.0.iter().find_map(|scope| scope.unknown_subject(subjects)) {
                let detail = format!("has a scope that cannot be: {told}");
                faults.add(format!("/callers/{place}/scopes"), detail);
            }
        }
    }

    /// Returns as whom messages of other systems come. Whoever may send them is up to IAM.
    #[must_use]
    pub fn of_messages(&self) -> Caller {
        of_source("sqs", self.sqs.as_ref())
    }

    /// Returns as whom events and schedules come. Whoever may send and make them is up to IAM.
    #[must_use]
    pub fn of_events(&self) -> Caller {
        of_source("eventbridge", self.eventbridge.as_ref())
    }

    /// Returns who has an identity of AWS, if a rule lets it in.
    #[must_use]
    pub fn of_arn(&self, arn: &str) -> Option<Caller> {
        self.iam.iter().find_map(|rule| rule.caller(arn))
    }
}

fn of_source(name: &str, grant: Option<&Grant>) -> Caller {
    match grant {
        None => Caller::everybody(name.to_owned()),
        Some(grant) => grant.caller(name.to_owned(), name.to_owned()),
    }
}

/// Reads what a single source is granted, if the rules speak of it.
fn one(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Grant> {
    let pointer = fields.pointer(name);
    let value = fields.get(name)?;
    let mut fields = Fields::of(value, &pointer, faults)?;
    let grant = Grant::read(&mut fields, faults);
    fields.finish(faults);
    Some(grant)
}

/// Reads a list of rules; absent is empty.
fn list<R>(
    fields: &mut Fields<'_>,
    name: &'static str,
    read: fn(&mut Fields<'_>, &mut Faults) -> Option<R>,
    faults: &mut Faults,
) -> Vec<R> {
    let pointer = fields.pointer(name);
    let items = match fields.get(name) {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            faults.add(pointer, "must be a list of rules");
            return Vec::new();
        }
    };
    let mut rules = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if let Some(mut fields) = Fields::of(item, &format!("{pointer}/{index}"), faults) {
            rules.extend(read(&mut fields, faults));
            fields.finish(faults);
        }
    }
    rules
}

#[cfg(test)]
mod tests;
