//! Why a job could not be started: a reason, a sentence for the person who asks why, and the cause, which is for the log.

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::BoxError;
use callboard_core::credential::SecretError;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_kind_ansible::detail::INVENTORY_INVALID;
use callboard_process::shortage;

/// Phrases of the sentences that are made here. They stay, even if a secret is one of their words; each is longer than a word.
const PHRASES: [&str; 16] = [
    "The collection ",
    "The credential ",
    "The host keys that earlier jobs have accepted cannot be read.",
    "The inventory ",
    "The inventory at ",
    "The job's folder could not be made ready.",
    "The playbook ",
    "The private key cannot be used",
    "The program ssh-agent could not be run; OpenSSH must be installed where jobs run.",
    "The repository ",
    "The repository's address ",
    " cannot be read",
    " could not be fetched",
    " could not be installed",
    " is not there",
    " the policy",
];

/// Why a job could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unready {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    #[source]
    pub(crate) source: Option<BoxError>,
    /// Whether the machine was short of something.
    pub(crate) short: bool,
}

impl Unready {
    pub(crate) fn source(message: impl Into<String>) -> Self {
        Self::of(Reason::SOURCE_UNAVAILABLE, message)
    }

    pub(crate) fn inventory(message: impl Into<String>) -> Self {
        Self::of(INVENTORY_INVALID, message)
    }

    pub(crate) fn credential(message: impl Into<String>) -> Self {
        Self::of(Reason::CREDENTIAL_UNAVAILABLE, message)
    }

    pub(crate) fn runner(message: impl Into<String>) -> Self {
        Self::of(Reason::RUNNER_ERROR, message)
    }

    pub(crate) fn caused(mut self, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        self.short = shortage::is_behind(&*source);
        self.source = Some(source);
        self
    }

    /// Returns the same fault, met while the inventory was prepared: a repository may hold a source or an inventory.
    pub(crate) fn of_inventory(mut self) -> Self {
        if self.reason == Reason::SOURCE_UNAVAILABLE {
            self.reason = INVENTORY_INVALID;
        }
        self
    }

    /// Returns the same fault without the job's secrets; its cause may hold them as well, and is redacted in the same way.
    pub(crate) fn redacted(self, redactor: &Redactor) -> Self {
        Self {
            reason: self.reason,
            message: redactor.sentence(&self.message, &PHRASES),
            source: self
                .source
                .map(|source| redactor.text(&causes(&*source).to_string()).into()),
            short: self.short,
        }
    }

    fn of(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            source: None,
            short: false,
        }
    }
}

impl From<std::io::Error> for Unready {
    fn from(error: std::io::Error) -> Self {
        Self::runner("The job's folder could not be made ready.").caused(error)
    }
}

impl From<SecretError> for Unready {
    fn from(error: SecretError) -> Self {
        let short = error
            .source
            .as_deref()
            .is_some_and(|source| shortage::is_behind(source));
        Self {
            reason: Reason::CREDENTIAL_UNAVAILABLE,
            message: error.message,
            source: error.source,
            short,
        }
    }
}

#[cfg(test)]
mod tests {
    use callboard_core::base::secret::Secret;
    use callboard_core::redact::TooLarge;

    use super::*;

    #[test]
    fn a_secret_that_is_a_word_of_ours_is_hidden_where_it_is_a_value_only() -> Result<(), TooLarge> {
        for (word, told) in [
            (
                "inventory",
                "The inventory at https://******** could not be fetched: no ********.",
            ),
            (
                "fetched",
                "The inventory at https://inventory could not be fetched: no inventory.",
            ),
            (
                "inventory at https",
                "The ********://inventory could not be fetched: no inventory.",
            ),
        ] {
            let redactor = Redactor::new(&[Secret::new(word)])?;
            let message = "The inventory at https://inventory could not be fetched: no inventory.";
            assert_eq!(Unready::inventory(message).redacted(&redactor).message, told);
        }
        Ok(())
    }
}
