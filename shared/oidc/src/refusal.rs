//! Why tokens are refused, in sentences that tell nothing of them.

use callboard_core::access::Unverified;

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("The token has more than {max} bytes.")]
    TooLong { max: usize },
    #[error(
        "What the request shows is neither an API key nor a signed token, which has three parts with dots between them."
    )]
    Form,
    #[error("The token is damaged: its {part} is not base64url without padding.")]
    Base64 { part: &'static str },
    #[error("The token is damaged: its {part} is not a JSON object that can be read in one way only.")]
    Json { part: &'static str },
    #[error("The token is not signed with RS256, ES256 or EdDSA.")]
    Algorithm,
    #[error("The head of the token has {0:?}, which is not accepted.")]
    Head(&'static str),
    #[error("The head of the token does not name its key (kid).")]
    NoKid,
    #[error("The token's claim {0} is missing, or is not what OpenID Connect says.")]
    Claim(&'static str),
    #[error("The token has expired. Get a new one from its issuer.")]
    Expired,
    #[error("The token is not valid yet. Check the clock of its issuer and of this machine.")]
    TooEarly,
    #[error("The policy has no rule for the token's issuer. An operator adds one to callers.oidc of the policy.")]
    Issuer,
    #[error(
        "The token's issuer has no key of the name that is in its head. Keys are asked for again every 30 s at most."
    )]
    Key,
    #[error("The signature of the token is wrong.")]
    Signature,
    #[error(
        "The token is valid, but the policy (callers.oidc) lets in only tokens of its issuer with other values of {}.",
        .0.join(", ")
    )]
    Unfit(Vec<String>),
}

impl From<Refusal> for Unverified {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}
