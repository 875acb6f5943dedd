//! Finds out who shows a token.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use callboard_core::access::{Caller, OidcRule, TokenVerifier, Unverified};
use callboard_core::base::time::{Clock, Timestamp};
use callboard_http::FetchError;

use crate::failure::Failure;
use crate::fetch::{Source, client};
use crate::issuer::Issuer;
use crate::refusal::Refusal;
use crate::times;
use crate::token::Token;

/// How long a subject may be, in bytes. It is kept with each job of its.
const MAX_SUBJECT_BYTES: usize = 1024;

/// Verifies tokens of the issuers that an operator has named. Their keys are fetched when they are first needed.
pub struct OidcVerifier {
    rules: Vec<OidcRule>,
    issuers: HashMap<String, Arc<Issuer>>,
}

impl OidcVerifier {
    /// Makes a verifier. The time for which keys are kept passes by `clock`; issuers are trusted by the certificates that the system
    /// trusts.
    ///
    /// # Errors
    /// The system provides no random numbers, or no memory.
    pub fn new(rules: Vec<OidcRule>, clock: &Arc<dyn Clock>) -> Result<Self, FetchError> {
        let (client, mut issuers) = (client()?, HashMap::new());
        for rule in &rules {
            issuers.entry(rule.issuer.clone()).or_insert_with(|| {
                let source = Source::new(&rule.issuer, client.clone());
                Arc::new(Issuer::new(source, Arc::clone(clock)))
            });
        }
        Ok(Self { rules, issuers })
    }

    /// Checks that an issuer that is known has signed a token.
    async fn check_signature(&self, token: &Token<'_>) -> Result<(), Unverified> {
        let issuer = self.issuers.get(token.text("iss")?).ok_or(Refusal::Issuer)?;
        let mut keys = issuer.keys().await.map_err(unavailable)?;
        if !keys.have(&token.kid) {
            keys = issuer.keys_anew().await.map_err(unavailable)?;
        }
        if !keys.have(&token.kid) {
            return Err(Refusal::Key.into());
        }
        let is_signed = keys.verify(&token.kid, token.algorithm, token.signed.as_bytes(), &token.signature);
        is_signed.then_some(()).ok_or_else(|| Refusal::Signature.into())
    }

    /// Returns who shows a token that is valid, by the first rule that lets it in.
    fn judge(&self, token: &Token<'_>) -> Result<Caller, Refusal> {
        let (issuer, subject) = (token.text("iss")?, token.text("sub")?);
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || subject.contains(char::is_control) {
            return Err(Refusal::Claim("sub"));
        }
        let mut nearest: Option<Vec<&str>> = None;
        for rule in self.rules.iter().filter(|rule| rule.issuer == issuer) {
            match rule.caller(subject, &token.claims) {
                Ok(caller) => return Ok(caller),
                Err(unfit) if nearest.as_ref().is_some_and(|nearest| nearest.len() <= unfit.len()) => {}
                Err(unfit) => nearest = Some(unfit),
            }
        }
        let unfit = nearest.into_iter().flatten().map(str::to_owned);
        Err(Refusal::Unfit(unfit.collect()))
    }
}

#[async_trait]
impl TokenVerifier for OidcVerifier {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Unverified> {
        let token = Token::parse(token)?;
        // before the issuer is asked for anything: who has an old token, or makes one up, need not be known
        times::check(&token.claims, now)?;
        self.check_signature(&token).await?;
        let until = times::end(&token.claims);
        let caller = self.judge(&token)?;
        Ok(Caller { until, ..caller })
    }
}

impl fmt::Debug for OidcVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OidcVerifier")
    }
}

fn unavailable(failure: Arc<Failure>) -> Unverified {
    Unverified::Unavailable(Box::new(failure))
}
