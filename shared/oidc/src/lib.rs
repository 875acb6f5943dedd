//! Tokens of OpenID Connect: verifies them, and keeps the keys of their issuers.
//!
//! Signatures are verified with ring, which rustls has brought along. Libraries for tokens would be a second reader beside it: with
//! `jsonwebtoken`, the usual one, comes either aws-lc, a second library for cryptography, or the crate `rsa`, whose time tells secrets.
//! They also take what is refused here: members that are repeated, and extensions that are critical. What is left of a token's format is
//! two JSON objects in base64.

mod failure;
mod fetch;
mod issuer;
mod jwk;
mod refusal;
mod times;
mod token;
mod verifier;

pub use verifier::OidcVerifier;
