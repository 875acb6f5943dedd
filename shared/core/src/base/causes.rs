//! Shows an error with all its causes, for a log.

use std::error::Error;
use std::fmt;

/// Shows an error and its causes in one line, each after a colon.
#[must_use]
pub fn causes(error: &dyn Error) -> Causes<'_> {
    Causes(error)
}

/// See [`causes`].
#[derive(Clone, Copy, Debug)]
pub struct Causes<'a>(&'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = self.0.to_string();
        f.write_str(&told)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !told.trim_end_matches('.').ends_with(&text) {
                write!(f, ": {text}")?;
            }
            told = text;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::store_error::StoreError;

    #[test]
    fn every_cause_is_told_once() {
        let cause = std::io::Error::other("connection refused");
        let error = StoreError::Unavailable(Box::new(cause));
        assert_eq!(
            causes(&error).to_string(),
            "the store is unavailable: connection refused"
        );
    }
}
