//! The kind `ansible`.

use std::sync::Arc;

use callboard_core::base::fields::{Faults, FieldError, Fields};
use callboard_core::base::object::Object;
use callboard_core::policy::Policy;
use callboard_core::request::{Again, EventFacts, Kind, OutputReader, Reason, Results, Shown, Told, Work};
use serde_json::{Value, json};
use utoipa::openapi::Components;

use crate::again::again;
use crate::catalog::{PlaybookCatalog, PlaybookError};
use crate::detail::REASONS;
use crate::event::{EVENT_KINDS, facts};
use crate::policy::AnsiblePolicy;
use crate::request::AnsibleRequest;
use crate::uses::SUBJECTS;
use crate::{results, view};

/// The kind's name.
pub const NAME: &str = "ansible";
/// How many characters of the playbook's name are kept if a request is refused.
const MAX_TITLE_CHARS: usize = 200;

/// Ansible jobs: playbooks and roles.
pub struct Ansible {
    policy: Arc<AnsiblePolicy>,
    every: Arc<Policy>,
    catalog: Arc<dyn PlaybookCatalog>,
}

impl Ansible {
    /// Makes the kind from what the operator allows Ansible jobs, what the operator allows every job, and the known playbooks.
    #[must_use]
    pub fn new(policy: Arc<AnsiblePolicy>, every: Arc<Policy>, catalog: Arc<dyn PlaybookCatalog>) -> Self {
        Self { policy, every, catalog }
    }
}

impl Ansible {
    /// Looks for a request's playbook. Returns an error if it does not exist; adds a fault if it may not be run.
    fn find(&self, request: &AnsibleRequest, faults: &mut Faults) -> Option<FieldError> {
        match self.catalog.check(request.source.bundled()?).err()? {
            error @ PlaybookError::NotFound(_) => Some(FieldError {
                pointer: "/playbook".to_owned(),
                detail: format!("does not exist: {error}"),
            }),
            error @ PlaybookError::Outside(_) => {
                faults.add("/playbook", format!("is not allowed: {error}"));
                None
            }
        }
    }
}

impl Kind for Ansible {
    fn name(&self) -> &'static str {
        NAME
    }

    fn markers(&self) -> &'static [&'static str] {
        &["playbook", "source"]
    }

    fn read(&self, fields: &mut Fields<'_>, options: &mut Fields<'_>, faults: &mut Faults) -> Option<Work> {
        let request = AnsibleRequest::read(fields, options, faults)?;
        if faults.count() == 0 {
            self.policy.check(&request, &self.every, faults);
        }
        let missing = match faults.count() {
            0 => self.find(&request, faults),
            _ => None,
        };
        Some(Work {
            title: request.source.name(),
            uses: request.uses(),
            secrets: request.credential_uses(),
            body: request.into_work(),
            missing,
            ..Work::default()
        })
    }

    fn subjects(&self) -> &'static [&'static str] {
        SUBJECTS
    }

    fn again(&self, told: Told<'_>, changes: &mut Fields<'_>, faults: &mut Faults) -> Again {
        again(told, changes, faults)
    }

    fn outline(&self, title: Option<&str>) -> Object {
        Object::of(&json!({"playbook": title.unwrap_or_default()}))
    }

    fn title_of(&self, body: &Value) -> Option<String> {
        let playbook = body.get("playbook").and_then(Value::as_str)?;
        Some(playbook.chars().take(MAX_TITLE_CHARS).collect()).filter(|title: &String| !title.is_empty())
    }

    fn show(&self, told: Told<'_>) -> Shown {
        view::show(told)
    }

    fn results(&self, told: Told<'_>) -> Results {
        results::results(told)
    }

    fn whole_output(&self) -> Option<OutputReader> {
        Some(results::whole_output)
    }

    fn reasons(&self) -> &'static [Reason] {
        REASONS
    }

    fn event_names(&self) -> &'static [&'static str] {
        &EVENT_KINDS
    }

    fn event(&self, line: &[u8]) -> Result<EventFacts, serde_json::Error> {
        facts(line)
    }

    fn schemas(&self) -> Components {
        view::schemas()
    }
}
