//! The schema of the database, step by step from the first release.

/// The step from one version to the next.
pub(crate) struct Step {
    /// What is done.
    pub(crate) sql: &'static str,
    /// Finds a row where it was done before: an earlier release that ran meanwhile may have written its own version back.
    pub(crate) done: Option<&'static str>,
}

impl Step {
    const fn once(sql: &'static str) -> Self {
        Self { sql, done: None }
    }

    const fn unless(done: &'static str, sql: &'static str) -> Self {
        Self { sql, done: Some(done) }
    }
}

/// The step from each version to the next.
pub(crate) const STEPS: [Step; 10] = [
    Step::once(include_str!("schema.sql")),
    Step::once(include_str!("credentials.sql")),
    Step::once(include_str!("contract.sql")),
    Step::once(include_str!("answers.sql")),
    Step::unless(
        "SELECT 1 FROM sqlite_schema WHERE name = 'requests'",
        include_str!("requests.sql"),
    ),
    Step::unless(
        "SELECT 1 FROM pragma_table_info('jobs') WHERE name = 'kind'",
        include_str!("kinds.sql"),
    ),
    Step::unless(
        "SELECT 1 FROM sqlite_schema WHERE name = 'api_keys'",
        include_str!("api_keys.sql"),
    ),
    Step::unless(
        "SELECT 1 FROM pragma_table_info('messages') WHERE name = 'tenant'",
        include_str!("tenants.sql"),
    ),
    Step::unless(
        "SELECT 1 FROM pragma_table_info('api_keys') WHERE name = 'session_until'",
        include_str!("sessions.sql"),
    ),
    Step::unless(
        "SELECT 1 FROM sqlite_schema WHERE name = 'audit'",
        include_str!("audit.sql"),
    ),
];
/// The version that these steps lead to.
#[expect(clippy::cast_possible_truncation, reason = "there are few")]
pub(crate) const SCHEMA_VERSION: u32 = STEPS.len() as u32;
