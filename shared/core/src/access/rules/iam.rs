//! Rules for identities of AWS.

use super::MAX_LINE_BYTES;
use super::grant::Grant;
use crate::access::caller::Caller;
use crate::access::pattern::Pattern;
use crate::access::scopes::Scopes;
use crate::base::fields::{Faults, Fields};

/// A rule that lets in identities of AWS, which AWS has verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IamRule {
    /// Their ARNs, as AWS tells who has signed a request: a role's has the name of the session at its end.
    pub arn: Pattern,
    grant: Grant,
}

impl IamRule {
    /// Returns what it grants.
    pub(super) fn scopes(&self) -> &Scopes {
        self.grant.scopes()
    }

    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let arn = fields.required_line("arn", MAX_LINE_BYTES, faults);
        let arn = arn.and_then(|text| match text.parse::<Pattern>() {
            Ok(pattern) if text.starts_with("arn:") => Some(pattern),
            Ok(_) => {
                faults.add(
                    fields.pointer("arn"),
                    "must be an ARN or a pattern of ARNs, as in arn:aws:sts::123456789012:assumed-role/deployer/*",
                );
                None
            }
            Err(error) => {
                faults.add(fields.pointer("arn"), error.to_string());
                None
            }
        });
        let grant = Grant::read(fields, faults);
        Some(Self { arn: arn?, grant })
    }

    /// Returns who has an ARN, if the rule is for it.
    #[must_use]
    pub fn caller(&self, arn: &str) -> Option<Caller> {
        let fits = self.arn.matches(arn);
        fits.then(|| self.grant.caller(arn.to_owned(), arn.to_owned()))
    }
}
