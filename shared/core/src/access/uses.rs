//! What a request uses, as far as scopes can be bound to it.

/// What a request uses. Its kind finds that out, and has names for what there is to use.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Uses(pub Vec<Use>);

/// One thing that a request uses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Use {
    /// What it is, in the words of scopes, such as `service`.
    pub subject: &'static str,
    /// Its name; `None` for one that has none, such as content in the request itself.
    pub name: Option<String>,
    /// Which state of it, such as a branch; `None` if the request does not say.
    pub version: Option<String>,
    /// Where the request says it, as an RFC 6901 pointer.
    pub pointer: String,
    /// The subject that takes care of it: it does not count where the scope is bound to that as well.
    pub unless: Option<&'static str>,
}

impl Uses {
    /// The subject of stored credentials, and of secrets that are kept elsewhere. A request of every kind may use some, or none.
    pub const CREDENTIAL: &'static str = "credential";

    /// Adds a thing by its name, which the request says at a pointer.
    pub fn add(&mut self, subject: &'static str, name: Option<String>, pointer: impl Into<String>) {
        self.0.push(Use {
            subject,
            name,
            pointer: pointer.into(),
            ..Use::default()
        });
    }
}
