//! Sets up all AWS clients.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// An endpoint in the same region answers in milliseconds, so an unreachable one is given up early.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest body, 8 MiB, needs 13 Mbit/s to be sent in this time.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Half of the time that API Gateway waits for a function.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// A file of 500 MB needs 70 Mbit/s to be sent in this time.
const FILE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_ATTEMPTS: u32 = 4;
/// Doubled for each retry and shortened at random. Callers that have more time retry by themselves.
const INITIAL_BACKOFF: Duration = Duration::from_millis(100);

/// Reads the region, credentials and endpoints from the environment as the SDK does. Throttling, timeouts, broken
/// connections and server errors are retried.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT);
    let retries = RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(INITIAL_BACKOFF);
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .timeout_config(timeouts.build())
        .retry_config(retries)
        .load()
        .await
}

/// Makes the SDK's default client, but with ring, which these programs use for all other TLS.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    })
}

/// Makes the client for S3. A custom endpoint has no host name for each bucket, so the bucket goes into the path.
#[must_use]
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(s3_config(config).build())
}

/// Makes a client for S3 with longer timeouts, for files too large for the usual ones.
pub(crate) fn s3_client_for_files(config: &SdkConfig) -> aws_sdk_s3::Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(FILE_TIMEOUT);
    aws_sdk_s3::Client::from_conf(s3_config(config).timeout_config(timeouts.build()).build())
}

fn s3_config(config: &SdkConfig) -> aws_sdk_s3::config::Builder {
    let own_endpoint = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    aws_sdk_s3::config::Builder::from(config).force_path_style(own_endpoint)
}
