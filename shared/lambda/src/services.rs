//! The registry of services: from a variable, or from an object of the bucket that may change while functions run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use callboard_aws::{SdkConfig, WatchedObject};
use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_kind_service::in_force::InForce;
use callboard_kind_service::registry::RegistryFault;
use tokio::time::timeout;

use crate::settings::{ServicesFrom, Settings};

/// How long a registry that was looked at is taken to be unchanged.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The same, while there is no registry.
const LOOK_FOR_ONE_EVERY: Duration = Duration::from_secs(5);
/// How long a look may take: a request waits for it.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// The registry of services of one function.
pub struct Services {
    /// `None` if the registry is that of the function's variable.
    object: Option<WatchedObject>,
    in_force: Arc<InForce>,
    seen: Mutex<Seen>,
}

/// What the last look has found.
#[derive(Default)]
struct Seen {
    at: Option<Instant>,
    /// Why the object could not be read.
    unreachable: Option<String>,
    /// Why its content was refused.
    refused: Option<String>,
}

impl Services {
    /// Makes the registry of a variable, or one that is read at the first look.
    pub(crate) fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let (object, in_force) = match &settings.services {
            ServicesFrom::Variable(registry) => (None, InForce::new(registry.clone())),
            ServicesFrom::Object(key) => {
                let object = WatchedObject::new(config, settings.bucket.clone(), key.clone());
                (Some(object), InForce::unread())
            }
        };
        Self {
            object,
            in_force: Arc::new(in_force),
            seen: Mutex::default(),
        }
    }

    /// Returns the registry in force.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.in_force.clone()
    }

    /// Returns the key of the object, if the registry is one.
    pub(crate) fn key(&self) -> Option<&str> {
        self.object.as_ref().map(WatchedObject::key)
    }

    /// Returns what was wrong with the object at the last look.
    pub(crate) fn trouble(&self) -> Option<String> {
        let seen = self.seen();
        seen.unreachable.clone().or_else(|| seen.refused.clone())
    }

    /// Looks at the object again, unless it was looked at a short while ago.
    pub async fn refresh(&self) {
        let pause = if self.in_force.is_unread() {
            LOOK_FOR_ONE_EVERY
        } else {
            LOOK_EVERY
        };
        let is_fresh = self.seen().at.is_some_and(|at| at.elapsed() < pause);
        if !is_fresh {
            self.look().await;
        }
    }

    /// Looks at the object. If it cannot be read or is not valid, the registry in force stays.
    pub(crate) async fn look(&self) {
        let Some(object) = &self.object else { return };
        let found = match timeout(LOOK_LIMIT, object.changed()).await {
            Ok(found) => found.map_err(|error| told(&error)),
            Err(_) => Err(format!("the bucket does not answer within {} s", LOOK_LIMIT.as_secs())),
        };
        self.seen().at = Some(Instant::now());
        let found = match found {
            Ok(content) => content,
            Err(error) => {
                self.tell("read", object.key(), &error);
                self.seen().unreachable = Some(format!("it cannot be read: {error}"));
                return;
            }
        };
        self.seen().unreachable = None;
        if let Some(content) = found {
            let refused = self.take(object.key(), content.into()).err();
            if let Some(faults) = &refused {
                self.tell("used", object.key(), faults);
            }
            self.seen().refused = refused;
        }
    }

    /// Puts a registry in force, or says what is wrong with it.
    fn take(&self, key: &str, content: Vec<u8>) -> Result<(), String> {
        let text = String::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())?;
        let taken = self.in_force.replace(&[(key.to_owned(), text)]);
        taken.map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(RegistryFault::to_string).collect();
            faults.join("; ")
        })?;
        let revision = self.in_force.current().revision.clone();
        tracing::info!(
            services.key = key,
            services.revision = revision,
            "the services have changed"
        );
        Ok(())
    }

    fn tell(&self, what: &str, key: &str, error: &str) {
        let so = if self.in_force.is_unread() {
            "no service can be called"
        } else {
            "those in force stay"
        };
        tracing::error!(services.key = key, error, "the services cannot be {what}; {so}");
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(error: &StoreError) -> String {
    match error {
        StoreError::NotFound => "there is no such object in the bucket".to_owned(),
        error => causes(error.cause()).to_string(),
    }
}
