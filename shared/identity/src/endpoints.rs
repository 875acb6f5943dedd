//! The addresses of AWS's services.

use std::collections::HashMap;
use std::env;

/// The services that may have an address of their own: their names in hosts and signatures, and in variables.
const SERVICES: [(&str, &str); 6] = [
    ("secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
    ("ssm", "AWS_ENDPOINT_URL_SSM"),
    ("sts", "AWS_ENDPOINT_URL_STS"),
    ("lambda", "AWS_ENDPOINT_URL_LAMBDA"),
    ("ecs", "AWS_ENDPOINT_URL_ECS"),
    ("logs", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
];

/// The addresses of AWS's services that differ from the usual ones.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    all: Option<String>,
    own: HashMap<&'static str, String>,
}

impl Endpoints {
    /// Reads the variables that AWS's SDKs use: `AWS_ENDPOINT_URL` and, with precedence over it, those of the services, such as
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
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
        let own = SERVICES
            .iter()
            .filter_map(|(service, name)| Some((*service, variable(name)?)));
        Self {
            all: variable("AWS_ENDPOINT_URL"),
            own: own.collect(),
        }
    }

    /// Returns the address of a service, by its name in hosts and signatures, in a region. It ends with a slash.
    #[must_use]
    pub fn url(&self, service: &str, region: &str) -> String {
        match self.own.get(service).or(self.all.as_ref()) {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => Self::usual(service, region),
        }
    }

    /// Returns AWS's own address of a service in a region.
    #[must_use]
    pub fn usual(service: &str, region: &str) -> String {
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("https://{service}.{region}.{domain}/")
    }
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
        assert_eq!(read(&both).url("sts", "eu-west-1"), "http://sts/");
        assert_eq!(read(&both).url("ssm", "eu-west-1"), "http://all/");
        assert_eq!(
            read(&[]).url("lambda", "eu-west-1"),
            "https://lambda.eu-west-1.amazonaws.com/"
        );
        let china = read(&[("AWS_ENDPOINT_URL", "")]).url("secretsmanager", "cn-north-1");
        assert_eq!(china, "https://secretsmanager.cn-north-1.amazonaws.com.cn/");
    }
}
