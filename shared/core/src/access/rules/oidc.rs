//! Rules for tokens of OpenID Connect.

mod everybody;
mod wanted;

use serde_json::{Map, Value};

use self::wanted::Wanted;
use super::MAX_LINE_BYTES;
use super::grant::Grant;
use crate::access::caller::Caller;
use crate::access::scopes::Scopes;
use crate::base::fields::{Faults, Fields};
use crate::base::web_address::WebAddress;

/// A rule that lets in holders of tokens of an issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OidcRule {
    /// The issuer: an address with https, exactly as in the claim `iss`.
    pub issuer: String,
    /// Whom tokens are for; a token is for at least one of them.
    pub audiences: Vec<String>,
    claims: Vec<(String, Wanted)>,
    grant: Grant,
    /// Whether tokens are those of people who log in, for hours.
    sessions: bool,
}

impl OidcRule {
    /// Returns what it grants.
    pub(super) fn scopes(&self) -> &Scopes {
        self.grant.scopes()
    }

    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let issuer = read_issuer(fields, faults);
        let audiences = read_audiences(fields, faults);
        let claims = wanted::read(fields, faults);
        if let Some(detail) = issuer.and_then(|issuer| everybody::refusal(issuer, &claims)) {
            faults.add(fields.pointer("claims"), detail);
        }
        let grant = Grant::read(fields, faults);
        let sessions = fields.boolean("sessions", faults);
        Some(Self {
            issuer: issuer?.to_owned(),
            audiences,
            claims,
            grant,
            sessions,
        })
    }

    /// Returns who shows a token. Its signature and its times are verified before; `subject` is its claim `sub`.
    ///
    /// # Errors
    /// The names of the claims whose values are not those of the rule.
    pub fn caller(&self, subject: &str, claims: &Map<String, Value>) -> Result<Caller, Vec<&str>> {
        let issuer = claims.get("iss").is_some_and(|value| *value == self.issuer.as_str());
        let audience = claims.get("aud").is_some_and(|value| self.is_for(value));
        let named = self.claims.iter().map(|(name, wanted)| {
            let fits = claims.get(name).is_some_and(|value| wanted.is_in(value));
            (name.as_str(), fits)
        });
        let all = [("iss", issuer), ("aud", audience)].into_iter().chain(named);
        let unfit: Vec<&str> = all.filter(|(_, fits)| !fits).map(|(name, _)| name).collect();
        if !unfit.is_empty() {
            return Err(unfit);
        }
        let subject_of_issuer = format!("oidc:{}#{subject}", self.issuer);
        Ok(Caller {
            logs_in: self.sessions,
            ..self.grant.caller(format!("oidc:{subject}"), subject_of_issuer)
        })
    }

    fn is_for(&self, audience: &Value) -> bool {
        let is_own = |value: &Value| self.audiences.iter().any(|own| *value == own.as_str());
        match audience {
            Value::Array(several) => several.iter().any(is_own),
            one => is_own(one),
        }
    }
}

fn read_issuer<'a>(fields: &mut Fields<'a>, faults: &mut Faults) -> Option<&'a str> {
    let issuer = fields.required_line("issuer", MAX_LINE_BYTES, faults)?;
    let fault = match WebAddress::parse(issuer) {
        Err(detail) => detail,
        Ok(_) if !issuer.starts_with("https://") => "must begin with https://",
        Ok(_) if issuer.contains(['?', '#']) => "must have neither a query nor a fragment",
        Ok(_) => return Some(issuer),
    };
    faults.add(fields.pointer("issuer"), fault);
    None
}

fn read_audiences(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let fault = match fields.get("audience") {
        None => "is missing; it is whom the issuer makes tokens for, as in their claim aud",
        Some(Value::Array(items)) if items.is_empty() => "must not be empty",
        Some(Value::Array(_)) => return fields.lines("audience", MAX_LINE_BYTES, faults),
        Some(_) => {
            let one = fields.line("audience", MAX_LINE_BYTES, faults);
            return one.map(str::to_owned).into_iter().collect();
        }
    };
    faults.add(fields.pointer("audience"), fault);
    Vec::new()
}
