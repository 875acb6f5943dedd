//! The registry: all services of a deployment.

use std::collections::BTreeSet;
use std::fmt;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::hex::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::document::Document;
use crate::operation::{Fallback, Operation};
use crate::service::Service;

/// The services that jobs may call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registry {
    /// What tells this registry from others: 12 hexadecimal digits of the SHA-256 digest of its files.
    pub revision: String,
    /// The services, in the order of the files.
    pub services: Vec<Service>,
}

/// A fault of a registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegistryFault {
    /// The file.
    pub file: String,
    /// The line, if it is known.
    pub line: Option<u64>,
    /// What is wrong, with its place in the file.
    pub detail: String,
}

impl fmt::Display for RegistryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.detail),
            None => write!(f, "{}: {}", self.file, self.detail),
        }
    }
}

/// A file of a registry that is YAML.
struct Read<'a> {
    file: &'a str,
    document: Document,
    services: Vec<(String, Service)>,
}

impl Registry {
    /// Reads the files of a registry: names and texts.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn parse(files: &[(String, String)]) -> Result<Self, Vec<RegistryFault>> {
        let (mut read, mut told) = (Vec::new(), Vec::new());
        for (file, text) in files {
            match Document::parse(text) {
                Ok(document) => read.push(Read::of(file, document, &mut told)),
                Err(error) => told.push(RegistryFault {
                    file: file.clone(),
                    line: None,
                    detail: error,
                }),
            }
        }
        check_names(&read, &mut told);
        // where something could not be read, a fallback may only seem to lead nowhere
        if told.is_empty() {
            check_fallbacks(&read, &mut told);
        }
        if !told.is_empty() {
            return Err(told);
        }
        let services = read.into_iter().flat_map(|read| read.services);
        Ok(Self {
            revision: revision(files),
            services: services.map(|(_, service)| service).collect(),
        })
    }

    /// Returns a service by its name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Returns a service and one of its operations.
    #[must_use]
    pub fn operation(&self, service: &str, operation: &str) -> Option<(&Service, &Operation)> {
        let service = self.service(service)?;
        Some((service, service.operation(operation)?))
    }
}

impl<'a> Read<'a> {
    fn of(file: &'a str, document: Document, told: &mut Vec<RegistryFault>) -> Self {
        let mut faults = Faults::default();
        let services = services(&document.value, &mut faults);
        let read = Self {
            file,
            document,
            services,
        };
        let mut seen = BTreeSet::new();
        for fault in faults.into_inner() {
            let pointer = read.written_at(&fault.pointer);
            let fault = read.fault(&pointer, &fault.detail);
            if seen.insert(fault.detail.clone()) {
                told.push(fault);
            }
        }
        read
    }

    /// Returns where something stands that an operation has from its service: there, if the operation does not have it itself.
    fn written_at(&self, pointer: &str) -> String {
        let inherited = pointer.split_once("/operations/").and_then(|(service, rest)| {
            let (_, place) = rest.split_once("/runner_config")?;
            Some((format!("{service}/runner_config{place}"), place.len()))
        });
        match inherited {
            Some((inherited, place)) if self.known(&inherited, place) > self.known(pointer, place) => inherited,
            _ => pointer.to_owned(),
        }
    }

    /// Returns how many of the last bytes of a pointer, plus 1, lead to something; 0 if what is before them does not.
    fn known(&self, pointer: &str, last: usize) -> usize {
        let root = pointer.len() - last;
        let mut end = pointer.len();
        loop {
            if self.document.value.pointer(&pointer[..end]).is_some() {
                return end - root + 1;
            }
            match pointer[root..end].rfind('/') {
                Some(at) => end = root + at,
                None => return 0,
            }
        }
    }

    fn fault(&self, pointer: &str, detail: &str) -> RegistryFault {
        let subject = if pointer.is_empty() { "it" } else { pointer };
        RegistryFault {
            file: self.file.to_owned(),
            line: Some(self.document.line(pointer)),
            detail: format!("{subject} {detail}"),
        }
    }
}

fn services(value: &Value, faults: &mut Faults) -> Vec<(String, Service)> {
    let Some(mut fields) = Fields::of(value, "", faults) else {
        return Vec::new();
    };
    let items = match fields.get("services") {
        Some(Value::Array(items)) => items.as_slice(),
        _ => {
            faults.add("/services", "must be a list of services");
            &[]
        }
    };
    let services = items.iter().enumerate().filter_map(|(index, item)| {
        let pointer = format!("/services/{index}");
        let service = Service::read(item, &pointer, faults)?;
        Some((pointer, service))
    });
    let services = services.collect();
    fields.finish(faults);
    services
}

/// Names of services are unique in all files together.
fn check_names(read: &[Read<'_>], told: &mut Vec<RegistryFault>) {
    let mut seen = BTreeSet::new();
    for file in read {
        for (pointer, service) in &file.services {
            if !seen.insert(&service.name) {
                let detail = format!("is the name of another service, too: {:?}", service.name);
                told.push(file.fault(&format!("{pointer}/name"), &detail));
            }
        }
    }
}

/// A fallback is an operation that exists, and leads to no operation a second time.
fn check_fallbacks(read: &[Read<'_>], told: &mut Vec<RegistryFault>) {
    let all = || read.iter().flat_map(|file| &file.services);
    let find = |fallback: &Fallback| {
        let (_, service) = all().find(|(_, service)| service.name == fallback.service)?;
        Some((service, service.operation(&fallback.operation)?))
    };
    for file in read {
        for (pointer, service) in &file.services {
            for operation in &service.operations {
                let Some(fallback) = &operation.fallback else { continue };
                let index = service.operations.iter().position(|other| other.name == operation.name);
                let place = format!("{pointer}/operations/{}/fallback", index.unwrap_or_default());
                let own = Fallback {
                    service: service.name.clone(),
                    operation: operation.name.clone(),
                };
                let own_lane = service.execution_type.lane();
                let (mut seen, mut next) = (vec![&own], Some(fallback));
                while let Some(fallback) = next {
                    let Fallback { service, operation } = fallback;
                    if seen.contains(&fallback) {
                        let detail = format!("leads back to {service}/{operation}");
                        told.push(file.fault(&place, &detail));
                        break;
                    }
                    let Some(found) = find(fallback) else {
                        let detail = format!("names no operation of this registry: {service}/{operation}");
                        told.push(file.fault(&place, &detail));
                        break;
                    };
                    let (of, found) = found;
                    if of.execution_type.lane() != own_lane {
                        let detail = format!(
                            "leads to {service}/{operation}, which other workers execute: calls over HTTP and functions stand in for one \
                             another, and so do programs and containers"
                        );
                        told.push(file.fault(&place, &detail));
                        break;
                    }
                    seen.push(fallback);
                    next = found.fallback.as_ref();
                }
            }
        }
    }
}

fn revision(files: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for (file, text) in files {
        // wherever the files are
        let name = file.rsplit('/').next().unwrap_or_default();
        for part in [name, text] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    hex(&hash.finalize()[..6])
}

#[cfg(test)]
mod tests;
