//! Finds the image of a container, and what it is: a tag is resolved once.

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptionsBuilder;
use callboard_core::base::causes::causes;
use callboard_kind_service::config::{ContainerConfig, repository};
use futures_util::TryStreamExt;

use crate::engine::status;

/// An image that the engine has.
pub(crate) struct Image {
    /// Its id, which always denotes this very image.
    pub(crate) id: String,
    /// Its name with the digest, for people.
    pub(crate) named: String,
    /// The folders that it declares as volumes.
    pub(crate) volumes: Vec<String>,
    /// Whether it declares a program that an engine runs in the container again and again.
    pub(crate) has_healthcheck: bool,
}

/// Returns the image of a container; pulls it where the operator wants that. Registries that ask for a login are not supported,
/// unless the engine itself has logged in.
///
/// # Errors
/// Why it is not there, as a sentence.
pub(crate) async fn find(docker: &Docker, config: &ContainerConfig) -> Result<Image, String> {
    let name = config.image.as_str();
    if config.pull == "always" {
        pull(docker, name).await?;
    }
    let found = match docker.inspect_image(name).await {
        Err(error) if status(&error) == Some(404) && config.pull == "missing" => {
            pull(docker, name).await?;
            docker.inspect_image(name).await
        }
        found => found,
    };
    let found = found.map_err(|error| missing(name, config, &error))?;
    let id = found.id.unwrap_or_default();
    if id.is_empty() {
        return Err(format!("The engine does not say which image {name} is."));
    }
    let digest = digest_of(name, &found.repo_digests.unwrap_or_default()).unwrap_or_else(|| id.clone());
    let config = found.config.unwrap_or_default();
    Ok(Image {
        named: format!("{}@{digest}", repository(name)),
        volumes: config.volumes.unwrap_or_default(),
        has_healthcheck: config.healthcheck.is_some(),
        id,
    })
}

fn missing(name: &str, config: &ContainerConfig, error: &Error) -> String {
    if status(error) == Some(404) && config.pull == "never" {
        return format!(
            "The engine does not have the image {name}, and the service says that it is never pulled: pull it there."
        );
    }
    format!("The image {name} cannot be had: {}.", causes(error))
}

/// Returns the digest that a registry knows an image by.
fn digest_of(name: &str, known: &[String]) -> Option<String> {
    if let Some((_, digest)) = name.split_once('@') {
        return Some(digest.to_owned());
    }
    let own = |known: &&String| known.split_once('@').is_some_and(|(of, _)| of == repository(name));
    let found = known.iter().find(own).or_else(|| known.first())?;
    found.split_once('@').map(|(_, digest)| digest.to_owned())
}

async fn pull(docker: &Docker, name: &str) -> Result<(), String> {
    // without a tag, an engine would pull all of them
    let options = CreateImageOptionsBuilder::default()
        .from_image(repository(name))
        .tag(tag(name));
    let pulled = docker.create_image(Some(options.build()), None, None);
    let pulled = pulled.try_for_each(|_| async { Ok(()) }).await;
    pulled.map_err(|error| {
        let cause = causes(&error).to_string();
        format!("The image {name} could not be pulled: {}.", cause.trim_end_matches('.'))
    })
}

/// Returns the digest or the tag of an image's name.
fn tag(name: &str) -> &str {
    let rest = &name[repository(name).len()..];
    match rest.split_once('@') {
        Some((_, digest)) => digest,
        None => rest.strip_prefix(':').unwrap_or("latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_tag_or_the_digest_that_is_pulled() {
        for (name, expected) in [
            ("tool", "latest"),
            ("tool:1", "1"),
            ("registry.example.com:5000/team/tool", "latest"),
            ("registry.example.com:5000/team/tool:1.2", "1.2"),
            ("team/tool:1@sha256:abc", "sha256:abc"),
            ("team/tool@sha256:abc", "sha256:abc"),
        ] {
            assert_eq!(tag(name), expected, "{name}");
        }
        let known = ["other@sha256:1".to_owned(), "team/tool@sha256:2".to_owned()];
        assert_eq!(digest_of("team/tool:1", &known).as_deref(), Some("sha256:2"));
        assert_eq!(digest_of("team/tool:1", &[]), None);
    }
}
