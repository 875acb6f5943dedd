//! The schema of the database, step by step from the first release.

/// The step from each version to the next.
pub(crate) const STEPS: [&str; 5] = [
    include_str!("schema.sql"),
    include_str!("credentials.sql"),
    include_str!("contract.sql"),
    include_str!("answers.sql"),
    include_str!("requests.sql"),
];
/// The version that these steps lead to.
#[expect(clippy::cast_possible_truncation, reason = "there are few")]
pub(crate) const SCHEMA_VERSION: u32 = STEPS.len() as u32;
