//! What callers may do.

use std::fmt;

/// Makes the enum and its facts from one table.
macro_rules! actions {
    ($($action:ident $text:literal $told:literal;)*) => {
        /// Something that a caller does.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Action {
            $(#[doc = $told] $action,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            /// Returns the action's name, as scopes have it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$action => $text,)*
                }
            }

            /// Says what it is.
            #[must_use]
            pub fn told(self) -> &'static str {
                match self {
                    $(Self::$action => $told,)*
                }
            }
        }
    };
}

actions! {
    JobsRead "jobs:read" "Reads jobs: their records, output and events, lists of them and statistics.";
    JobsRun "jobs:run" "Runs jobs, and queues those again that the queue has given up.";
    JobsCancel "jobs:cancel" "Cancels jobs.";
    CredentialsRead "credentials:read" "Reads which credentials there are. Nobody reads their values.";
    CredentialsWrite "credentials:write" "Stores, replaces and removes credentials.";
    ServicesRead "services:read" "Reads which services there are, and their operations.";
    KeysRead "keys:read" "Reads which API keys there are. Nobody reads their secrets.";
    KeysWrite "keys:write" "Makes, rotates and revokes API keys that may do no more than the caller.";
    AuditRead "audit:read" "Reads the audit log.";
}

impl Action {
    /// Returns the part of the name before the colon.
    #[must_use]
    pub fn domain(self) -> &'static str {
        self.as_str()
            .split_once(':')
            .map_or(self.as_str(), |(domain, _)| domain)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
