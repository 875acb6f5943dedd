//! The kinds of problems. Each has a URI, a status and a title. docs/problems.md has a section on each.

use axum::http::StatusCode;

/// Makes the enum, its list and its facts from one table.
macro_rules! kinds {
    ($($kind:ident $slug:literal $status:ident $retry:ident $title:literal;)*) => {
        /// A kind of problem. The meaning of its URI never changes.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Kind {
            $(#[doc = $title] $kind,)*
        }

        impl Kind {
            /// Every kind, in the order of docs/problems.md.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            fn facts(self) -> (&'static str, StatusCode, Retry, &'static str) {
                match self {
                    $(Self::$kind => ($slug, StatusCode::$status, Retry::$retry, $title),)*
                }
            }
        }
    };
}

/// Whether the same request may get a different answer soon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Retry {
    Helps,
    Fails,
}

kinds! {
    MalformedRequest "malformed-request" BAD_REQUEST Fails "The request cannot be read";
    NotJson "not-json" BAD_REQUEST Fails "The body is not acceptable JSON";
    InvalidHeader "invalid-header" BAD_REQUEST Fails "A header is not valid";
    InvalidQuery "invalid-query" UNPROCESSABLE_ENTITY Fails "The query is not valid";
    InvalidRequest "invalid-request" UNPROCESSABLE_ENTITY Fails "The request is not valid";
    IdempotencyKeyReused "idempotency-key-reused" UNPROCESSABLE_ENTITY Fails "The idempotency key was used for a different request";
    IdempotencyInFlight "idempotency-in-flight" CONFLICT Helps "The first request with this idempotency key has not been answered yet";
    PayloadTooLarge "payload-too-large" PAYLOAD_TOO_LARGE Fails "The body is too large";
    BodyTimeout "body-timeout" REQUEST_TIMEOUT Helps "The body did not arrive in time";
    UnsupportedMediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE Fails "The body was not sent as JSON";
    Unauthenticated "unauthenticated" UNAUTHORIZED Fails "The request does not show who sends it";
    Forbidden "forbidden" FORBIDDEN Fails "The caller may not do that";
    TooManyFailures "too-many-failures" TOO_MANY_REQUESTS Helps "Too many requests have shown no valid key";
    TooManySessions "too-many-sessions" TOO_MANY_REQUESTS Helps "The caller has begun too many sessions";
    CsrfToken "csrf-token" FORBIDDEN Fails "The request does not show that it comes from the session's own page";
    HostNotAllowed "host-not-allowed" MISDIRECTED_REQUEST Fails "The service does not answer to this host name";
    OriginNotAllowed "origin-not-allowed" FORBIDDEN Fails "The request comes from a web page of another origin";
    NoSuchJob "no-such-job" NOT_FOUND Fails "There is no such job";
    NoSuchAttempt "no-such-attempt" NOT_FOUND Fails "The job has no such attempt";
    NoSuchPlaybook "no-such-playbook" NOT_FOUND Fails "There is no such playbook";
    NoSuchCredential "no-such-credential" NOT_FOUND Fails "There is no such credential";
    NoSuchKey "no-such-key" NOT_FOUND Fails "There is no such API key";
    NoSession "no-session" NOT_FOUND Fails "There is no session";
    NoSuchService "no-such-service" NOT_FOUND Fails "There is no such service";
    NoSuchOperation "no-such-operation" NOT_FOUND Fails "The service has no such operation";
    NoSuchRoute "no-such-route" NOT_FOUND Fails "There is nothing at this path";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED Fails "The path does not support this method";
    JobEnded "job-ended" CONFLICT Fails "The job has already ended";
    JobNotWaiting "job-not-waiting" CONFLICT Fails "The job is not waiting";
    CredentialExists "credential-exists" CONFLICT Fails "A credential with that name already exists";
    CredentialKindDiffers "credential-kind-differs" CONFLICT Fails "The credential has a different kind";
    KeyExists "key-exists" CONFLICT Fails "An API key with that name is in force";
    KeyRevoked "key-revoked" CONFLICT Fails "The API key is revoked";
    RangeNotSatisfiable "range-not-satisfiable" RANGE_NOT_SATISFIABLE Fails "The output has no such range";
    OutputTooLarge "output-too-large" UNPROCESSABLE_ENTITY Fails "The output is too large for one answer";
    QueueFull "queue-full" TOO_MANY_REQUESTS Helps "Too many jobs are already waiting";
    QuotaExceeded "quota-exceeded" TOO_MANY_REQUESTS Helps "The tenant has used up a quota";
    TooManyFollowers "too-many-followers" TOO_MANY_REQUESTS Helps "Too many requests are already waiting";
    TooManyBodies "too-many-bodies" SERVICE_UNAVAILABLE Helps "Too many large requests at once";
    Draining "draining" SERVICE_UNAVAILABLE Helps "The service is shutting down";
    Unavailable "unavailable" SERVICE_UNAVAILABLE Helps "A part of the service is not responding";
    Damaged "damaged" INTERNAL_SERVER_ERROR Fails "The stored data is damaged";
    Internal "internal" INTERNAL_SERVER_ERROR Fails "Something went wrong in the service";
}

impl Kind {
    /// Returns the URI that identifies the kind.
    pub(crate) fn uri(self) -> String {
        format!("urn:callboard:problem:{}", self.slug())
    }

    /// Returns the last part of the URI.
    pub(crate) fn slug(self) -> &'static str {
        self.facts().0
    }

    /// Returns the status of answers with this kind of problem.
    pub(crate) fn status(self) -> StatusCode {
        self.facts().1
    }

    /// Returns whether the same request may get a different answer soon.
    pub(crate) fn passes(self) -> bool {
        self.facts().2 == Retry::Helps
    }

    /// Returns the title of the kind.
    pub(crate) fn title(self) -> &'static str {
        self.facts().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_a_section_on_each_kind_and_on_no_other() {
        let documented = include_str!("../../../../docs/problems.md").split("\n## ").skip(1);
        let documented: Vec<String> = documented
            .map(|section| section.lines().take(3).collect::<Vec<_>>().join("\n"))
            .collect();
        let expected = Kind::ALL.iter().map(|kind| {
            let retry = if kind.passes() { "helps" } else { "does not help" };
            let (slug, status, title) = (kind.slug(), kind.status().as_u16(), kind.title());
            format!("{slug}\n\n{status}. {title}. Sending the same request again {retry}.")
        });
        assert_eq!(documented, expected.collect::<Vec<_>>());
    }
}
