//! What a request uses, as far as scopes can be bound to it.

/// What a request uses. Its kind finds that out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Uses {
    /// What is run.
    pub what: What,
    /// The repositories that it comes from.
    pub sources: Vec<String>,
    /// The inventories; `None` for one that has no name, or whose hosts the request can change.
    pub inventories: Vec<Option<String>>,
    /// The stored credentials, and the secrets that are kept elsewhere.
    pub credentials: Vec<String>,
}

/// What a request runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum What {
    /// A playbook: its path in the playbooks folder, the name of a collection's, or `REPOSITORY//PATH`.
    Playbook(String),
    /// A role: its name, `COLLECTION.NAME`, or `REPOSITORY//PATH`.
    Role(String),
    /// An operation of a service: `SERVICE/OPERATION`.
    Service(String),
    /// Something without a name, such as a playbook in the request.
    #[default]
    Unnamed,
}
