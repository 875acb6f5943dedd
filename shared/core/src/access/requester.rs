//! A caller together with the request that it sends.

use serde::{Deserialize, Serialize};

use super::caller::Caller;
use crate::base::id::{JobId, Tenant};

/// A caller, and what is known of its request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requester {
    /// Who asks.
    pub caller: Caller,
    /// The address that the request comes from.
    pub source_ip: Option<String>,
    /// The request's id, as the log has it.
    pub request_id: Option<String>,
}

/// Where a job comes from, as its record has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Origin {
    /// The caller's name.
    pub by: String,
    /// What stands for the caller.
    pub subject: String,
    /// The address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// The request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The job that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relaunch_of: Option<JobId>,
}

impl Requester {
    /// Returns one that may do everything with a tenant's things: what works on the service's own machine, or inside of it.
    #[must_use]
    pub fn own(tenant: Tenant, name: &str) -> Self {
        let everybody = Caller::everybody(name.to_owned());
        Self::of(Caller { tenant, ..everybody })
    }

    /// Returns a caller whose request is not one of HTTP.
    #[must_use]
    pub fn of(caller: Caller) -> Self {
        Self {
            caller,
            source_ip: None,
            request_id: None,
        }
    }

    /// Returns whose things the caller may see.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.caller.tenant
    }

    /// Returns where a job that the caller submits comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            by: self.caller.name.clone(),
            subject: self.caller.subject.clone(),
            source_ip: self.source_ip.clone(),
            request_id: self.request_id.clone(),
            relaunch_of: None,
        }
    }
}
