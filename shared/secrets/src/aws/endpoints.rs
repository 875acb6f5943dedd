//! The addresses of AWS's services.

use std::env;

use super::Service;

/// The addresses of AWS's services that differ from the usual ones.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    all: Option<String>,
    secrets_manager: Option<String>,
    ssm: Option<String>,
    sts: Option<String>,
}

impl Endpoints {
    /// Reads the variables that AWS's SDKs use: `AWS_ENDPOINT_URL` and, with precedence over it,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL_STS`.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::read(|name| env::var(name).ok())
    }

    /// Puts every service at one URL, as `AWS_ENDPOINT_URL` does.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            all: Some(url.into()),
            ..Self::default()
        }
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name| variable(name).filter(|url| !url.is_empty());
        Self {
            all: variable("AWS_ENDPOINT_URL"),
            secrets_manager: variable("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            ssm: variable("AWS_ENDPOINT_URL_SSM"),
            sts: variable("AWS_ENDPOINT_URL_STS"),
        }
    }

    pub(super) fn url(&self, service: Service, region: &str) -> String {
        let own = match service {
            Service::SecretsManager => &self.secrets_manager,
            Service::Ssm => &self.ssm,
            Service::Sts => &self.sts,
        };
        match own.as_ref().or(self.all.as_ref()) {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => usual(service, region),
        }
    }
}

/// Returns AWS's own address of a service.
pub(super) fn usual(service: Service, region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{}.{region}.{domain}/", service.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_that_of_the_service_then_that_of_all_then_the_usual_one() {
        let read = |given: &[(&str, &str)]| {
            Endpoints::read(|name| {
                let found = given.iter().find(|(known, _)| *known == name);
                found.map(|(_, url)| (*url).to_owned())
            })
        };
        let both = [
            ("AWS_ENDPOINT_URL", "http://all"),
            ("AWS_ENDPOINT_URL_STS", "http://sts/"),
        ];
        assert_eq!(read(&both).url(Service::Sts, "eu-west-1"), "http://sts/");
        assert_eq!(read(&both).url(Service::Ssm, "eu-west-1"), "http://all/");
        assert_eq!(
            read(&[]).url(Service::Ssm, "eu-west-1"),
            "https://ssm.eu-west-1.amazonaws.com/"
        );
        let china = read(&[("AWS_ENDPOINT_URL", "")]).url(Service::SecretsManager, "cn-north-1");
        assert_eq!(china, "https://secretsmanager.cn-north-1.amazonaws.com.cn/");
    }
}
