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
    /// What was wrong with the last registry that was refused, until another one is accepted.
    refused: Vec<RegistryFault>,
}

impl InForce {
    /// Puts a registry in force.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        let in_force = Self::default();
        in_force.put(registry);
        in_force
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
    /// Every fault of the files; the registry in force stays. Faults that were told before are not told again.
    pub fn replace(&self, files: &[(String, String)]) -> Result<bool, Vec<RegistryFault>> {
        match Registry::parse(files) {
            Ok(registry) => {
                let news = registry.revision != self.current().revision;
                self.put(registry);
                Ok(news)
            }
            Err(faults) => {
                let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
                let told = state.refused == faults;
                state.refused.clone_from(&faults);
                if told { Ok(false) } else { Err(faults) }
            }
        }
    }

    fn put(&self, registry: Registry) {
        let shown = Arc::new(list(&registry));
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *state = State {
            registry: Arc::new(registry),
            shown,
            refused: Vec::new(),
        };
    }
}

impl ServiceCatalog for InForce {
    fn services(&self) -> Arc<ServiceList> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.shown.clone()
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
