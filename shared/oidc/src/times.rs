//! When a token is valid.

use std::time::Duration;

use callboard_core::base::time::Timestamp;
use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// How far an issuer's clock may be off.
const SKEW: Duration = Duration::from_secs(60);

/// Checks that a token is valid at a time: it must say when it expires, and may say since when it is valid and when it was made.
pub(crate) fn check(claims: &Map<String, Value>, now: Timestamp) -> Result<(), Refusal> {
    let expires = time(claims, "exp")?.ok_or(Refusal::Claim("exp"))?;
    if expires + SKEW <= now {
        return Err(Refusal::Expired);
    }
    for name in ["nbf", "iat"] {
        if time(claims, name)?.is_some_and(|begins| begins > now + SKEW) {
            return Err(Refusal::TooEarly);
        }
    }
    Ok(())
}

/// Returns when a token ends.
pub(crate) fn end(claims: &Map<String, Value>) -> Option<Timestamp> {
    time(claims, "exp").ok().flatten()
}

/// Reads seconds since the Unix epoch, which may have a fraction.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().ok_or(Refusal::Claim(name))?;
    // a cast of a float ends at the largest and the least number
    Ok(Some(Timestamp::from_millis((seconds * 1000.0) as i64)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_valid_from_its_beginning_to_its_end_give_or_take_a_minute() {
        let now = Timestamp::from_millis(1_763_672_400_000);
        for (claims, expected) in [
            (json!({"exp": 1_763_672_341}), "valid"),
            (json!({"exp": 1_763_672_340}), "expired"),
            (json!({"exp": 1_763_672_340.5}), "valid"),
            (json!({"exp": -1}), "expired"),
            (json!({"exp": i64::MIN}), "expired"),
            (json!({"exp": u64::MAX}), "valid"),
            (json!({"exp": "1763672400"}), "claim exp"),
            (json!({"exp": null}), "claim exp"),
            (json!({"exp": [1_763_672_400]}), "claim exp"),
            (json!({"iat": 1_763_672_400}), "claim exp"),
            (json!({"exp": 1_763_672_400, "nbf": 1_763_672_460}), "valid"),
            (json!({"exp": 1_763_672_400, "nbf": 1_763_672_461}), "not valid yet"),
            (json!({"exp": 1_763_672_400, "nbf": u64::MAX}), "not valid yet"),
            (json!({"exp": 1_763_672_400, "nbf": "0"}), "claim nbf"),
            (json!({"exp": 1_763_672_400, "iat": 1_763_672_461}), "not valid yet"),
            (json!({"exp": 1_763_672_400, "iat": true}), "claim iat"),
        ] {
            let checked = claims.as_object().map(|claims| check(claims, now));
            let told = match checked {
                Some(Ok(())) => "valid".to_owned(),
                other => format!("{:?}", other.map(|told| told.map_err(|error| error.to_string()))),
            };
            assert!(told.contains(expected), "{claims}: {told}");
        }
    }
}
