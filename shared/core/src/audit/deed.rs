//! What the audit log calls what callers do.

use std::fmt;

/// Makes the enum and its facts from one table.
macro_rules! deeds {
    ($($deed:ident $text:literal $told:literal;)*) => {
        /// Something that a caller does or tries, as the audit log has it.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Deed {
            $(#[doc = $told] $deed,)*
        }

        impl Deed {
            /// Every deed.
            pub const ALL: &[Self] = &[$(Self::$deed,)*];

            /// Returns the word of the audit log.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$deed => $text,)*
                }
            }
        }
    };
}

deeds! {
    JobSubmit "job.submit" "Submits a job.";
    JobRelaunch "job.relaunch" "Submits the request of a job anew.";
    JobRead "job.read" "Reads jobs, their output or statistics of them.";
    JobCancel "job.cancel" "Cancels a job.";
    JobRedrive "job.redrive" "Queues a job again.";
    JobsRedrive "jobs.redrive" "Queues all jobs again that the queue has given up.";
    CredentialRead "credential.read" "Reads which credentials there are.";
    CredentialCreate "credential.create" "Stores a credential.";
    CredentialReplace "credential.replace" "Gives a credential another value.";
    CredentialDelete "credential.delete" "Removes a credential.";
    EncryptionKeyRotate "encryption_key.rotate" "Seals all credentials with another key of the service's.";
    HostKeyForget "host_key.forget" "Forgets the key of a host that jobs have accepted.";
    KeyRead "key.read" "Reads which API keys there are.";
    KeyCreate "key.create" "Makes an API key.";
    KeyRotate "key.rotate" "Gives an API key another secret.";
    KeyRevoke "key.revoke" "Revokes an API key.";
    SessionBegin "session.begin" "Begins a session of a web page.";
    SessionRead "session.read" "Reads who asks.";
    SessionEnd "session.end" "Ends a session of a web page.";
    ServiceRead "service.read" "Reads which services there are.";
    OperationTest "operation.test" "Tries an operation of a service.";
    AuditRead "audit.read" "Reads the audit log.";
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Deed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
