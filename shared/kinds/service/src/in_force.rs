//! The registry in force, and its replacement.

use std::sync::{Arc, PoisonError, RwLock};

use callboard_core::request::{OperationView, ServiceCatalog, ServiceList, ServiceView};

use crate::operation::Operation;
use crate::registry::{Registry, RegistryFault};
use crate::schema::Schema;
use crate::service::Service;

/// The registry in force. It may be replaced while the program runs; a job keeps what the registry said when it was submitted.
#[derive(Default)]
pub struct InForce(RwLock<State>);

#[derive(Default)]
struct State {
    registry: Arc<Registry>,
    shown: Arc<ServiceList>,
    /// Whether no registry could be read so far.
    unread: bool,
}

impl InForce {
    /// Puts a registry in force.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        let in_force = Self::default();
        in_force.put(registry);
        in_force
    }

    /// Has no registry until one is read. Until then it has no services, and no request can be judged by it.
    #[must_use]
    pub fn unread() -> Self {
        Self(RwLock::new(State {
            unread: true,
            ..State::default()
        }))
    }

    /// Returns whether no registry could be read so far.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.unread
    }

    /// Returns the registry.
    #[must_use]
    pub fn current(&self) -> Arc<Registry> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.registry.clone()
    }

    /// Replaces the registry by that of these files: names and texts. Returns whether it is another one.
    ///
    /// # Errors
    /// Every fault of the files; the registry in force stays.
    pub fn replace(&self, files: &[(String, String)]) -> Result<bool, Vec<RegistryFault>> {
        let registry = Registry::parse(files)?;
        let news = self.is_unread() || registry.revision != self.current().revision;
        self.put(registry);
        Ok(news)
    }

    fn put(&self, registry: Registry) {
        let shown = Arc::new(list(&registry));
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *state = State {
            registry: Arc::new(registry),
            shown,
            unread: false,
        };
    }
}

impl ServiceCatalog for InForce {
    fn services(&self) -> Option<Arc<ServiceList>> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (!state.unread).then(|| state.shown.clone())
    }
}

fn list(registry: &Registry) -> ServiceList {
    ServiceList {
        revision: registry.revision.clone(),
        services: registry.services.iter().map(service).collect(),
    }
}

fn service(service: &Service) -> ServiceView {
    ServiceView {
        name: service.name.clone(),
        description: service.description.clone(),
        r#type: service.kind.clone(),
        category: service.category.clone(),
        execution_type: service.execution_type.as_str(),
        operations: service.operations.iter().map(operation).collect(),
    }
}

fn operation(operation: &Operation) -> OperationView {
    let text = |schema: &Option<Schema>| schema.as_ref().map(|schema| schema.text().clone());
    OperationView {
        name: operation.name.clone(),
        description: operation.description.clone(),
        input_schema: text(&operation.input_schema),
        output_schema: text(&operation.output_schema),
        timeout: operation.timeout,
        max_retries: operation.retry.max_retries,
        idempotent: operation.idempotent,
    }
}
