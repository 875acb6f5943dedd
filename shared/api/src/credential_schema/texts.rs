//! The text types of credentials, each with its length limits and pattern.

use utoipa::ToSchema;

/// Makes a type for each text.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident($($bounds:tt)*);)*) => {
        $(
            $(#[$doc])*
            #[derive(ToSchema)]
            #[schema($($bounds)*)]
            #[expect(dead_code, reason = "describes what is read elsewhere")]
            pub(crate) struct $name(String);
        )*
    };
}

texts! {
    /// A secret, one line.
    SecretLine(format = Password, min_length = 4, max_length = 8192, pattern = r"^[^\u0000\r\n]+$");
    /// A secret.
    SecretText(format = Password, min_length = 4, max_length = 8192, pattern = r"^[^\u0000]+$");
    /// A secret, one line, without leading or trailing white space.
    Password(format = Password, min_length = 4, max_length = 8192, pattern = r"^[^\s\u0000]([^\r\n\u0000]*[^\s\u0000])?$");
    /// A secret, in printable ASCII characters.
    SecretWord(format = Password, min_length = 4, max_length = 8192, pattern = r"^[ -~]+$");
    /// A private key, in OpenSSH or PEM format.
    PrivateKey(format = Password, max_length = 32768, pattern = r"^\s*-----BEGIN [^\u0000]*PRIVATE KEY-----\s*$");
    /// An OpenSSH certificate.
    Certificate(max_length = 32768, pattern = r"^[^\u0000]*-cert-v01@openssh\.com [^\u0000]*$");
    /// Certificates in PEM format.
    PemCertificate(max_length = 32768, pattern = r"^[^\u0000]*-----BEGIN CERTIFICATE-----[^\u0000]*-----END CERTIFICATE-----[^\u0000]*$");
    /// One line of text.
    Line(max_length = 2048, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$");
    /// The name of an AWS region.
    Region(max_length = 32, pattern = r"^[a-z0-9-]+$", example = "eu-central-1");
    /// The ARN of a role.
    Role(max_length = 2048, pattern = r"^arn:[^:\u0000-\u001f\u007f-\u009f]*:iam::[0-9]{12}:role/[^\u0000-\u001f\u007f-\u009f]*$");
    /// The URL of a server.
    Url(max_length = 2048, pattern = r"^https?://[^\u0000-\u001f\u007f-\u009f]*$", example = "https://vault.example.com:8200");
    /// A host, with its port unless that is the default port.
    Host(min_length = 1, max_length = 255, pattern = r"^[^\u0000-\u001f\u007f-\u009f/@]+$");
}

/// Always `aws`.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) enum Provider {
    Aws,
}
