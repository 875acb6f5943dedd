//! Query parameters, which are read as strictly as bodies: unknown, repeated or invalid ones are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use callboard_core::access::Requester;
use callboard_core::base::id::{NotATenant, Tenant};
use callboard_core::job::{DEFAULT_LIMIT, Filter, KindFilter, MAX_LIMIT, TitleFilter};
use callboard_core::request::{Kind, Kinds};

use crate::problem::Problem;

/// The parameters of one request, taken out one by one.
pub(crate) struct Params {
    given: BTreeMap<String, Vec<String>>,
    errors: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unreadable = |_| Problem::malformed("The query string cannot be read.");
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(unreadable)?;
        let mut given = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in pairs {
            given.entry(name).or_default().push(value);
        }
        Ok(Self {
            given,
            errors: Vec::new(),
            known: Vec::new(),
        })
    }
}

impl Params {
    /// Takes a text parameter.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut values = self.given.remove(name)?;
        if values.len() > 1 {
            self.refuse(name, "is given twice");
        }
        values.pop()
    }

    /// Takes a text parameter that must not be empty.
    pub(crate) fn name(&mut self, name: &'static str) -> Option<String> {
        let text = self.text(name)?;
        if text.is_empty() {
            self.refuse(name, "must not be empty");
        }
        Some(text)
    }

    /// Takes a set of texts: the parameter may be repeated, and each value may list several, separated by commas.
    pub(crate) fn texts(&mut self, name: &'static str) -> BTreeSet<String> {
        self.known.push(name);
        let given = self.given.remove(name).unwrap_or_default();
        let texts: BTreeSet<String> = given
            .iter()
            .flat_map(|value| value.split(','))
            .map(str::to_owned)
            .collect();
        if texts.contains("") {
            self.refuse(name, "must not be empty");
        }
        texts
    }

    /// Takes `true` or `false`, in upper or lower case; an absent parameter means false.
    pub(crate) fn boolean(&mut self, name: &'static str) -> bool {
        match self.text(name) {
            None => false,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(other) => {
                self.refuse(name, format!("must be true or false, not {other:?}"));
                false
            }
        }
    }

    /// Takes a whole number between `min` and `max`, both inclusive.
    pub(crate) fn number(&mut self, name: &'static str, min: u64, max: u64) -> Option<u64> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let right = format!("must be a whole number from {min} to {max}, not {text:?}");
            self.refuse(name, right);
        }
        number
    }

    /// Returns whether a parameter is given that was not taken yet.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Takes the page size; 20 if it is absent.
    pub(crate) fn limit(&mut self) -> u32 {
        let limit = self.number("limit", 1, MAX_LIMIT.into());
        limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(DEFAULT_LIMIT)
    }

    /// Takes the tenant, as it is given, and the one that is meant: the caller's own, unless the operator names another.
    pub(crate) fn tenant(&mut self, by: &Requester) -> (Option<String>, Tenant) {
        let named = self.text("tenant");
        let tenant = match named.as_deref().map(str::parse) {
            None => by.tenant().clone(),
            Some(Ok(tenant)) if tenant == *by.tenant() || by.caller.is_operator() => tenant,
            // whoever is not the operator cannot tell which tenants there are
            Some(Ok(_)) => {
                self.refuse("tenant", "must be the caller's own");
                Tenant::default()
            }
            Some(Err(NotATenant)) => {
                self.refuse("tenant", NotATenant.to_string());
                Tenant::default()
            }
        };
        (named, tenant)
    }

    /// Takes a parameter of a type that is read from a text.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let parsed = self.text(name)?.parse();
        parsed
            .map_err(|error: T::Err| self.refuse(name, error.to_string()))
            .ok()
    }

    /// Takes a cursor and parses it with `place`.
    pub(crate) fn cursor<T>(&mut self, place: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text("cursor")?;
        let found = place(&text);
        if found.is_none() {
            self.refuse(
                "cursor",
                "is not a `next_cursor` of this list; ask for the first page again, without it",
            );
        }
        found
    }

    /// Records that a parameter is wrong.
    pub(crate) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push((name.to_owned(), detail.into()));
    }

    /// Finishes reading: parameters that were not taken are unknown.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let known = if self.known.is_empty() {
            "none".to_owned()
        } else {
            self.known.join(", ")
        };
        for name in std::mem::take(&mut self.given).into_keys() {
            self.refuse(&name, format!("is not known here; known are: {known}"));
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::parameters(self.errors))
        }
    }
}

/// The filters that concern what jobs run.
pub(crate) struct Given {
    pub(crate) kind: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) operation: Option<String>,
}

impl Given {
    pub(crate) fn read(params: &mut Params, kinds: &Kinds) -> Self {
        let given = Self {
            kind: params.text("kind"),
            service: params.name("service"),
            operation: params.name("operation"),
        };
        let mut names = kinds.iter().flat_map(Kind::names);
        if let Some(kind) = &given.kind
            && !names.any(|name| name == kind)
        {
            let known: Vec<&str> = kinds.iter().flat_map(Kind::names).collect();
            params.refuse("kind", format!("is not a kind of job; known are {}", known.join(", ")));
        }
        if given.operation.is_some() && given.service.is_none() {
            params.refuse("operation", "is that of a service: name it, too");
        }
        given
    }

    pub(crate) fn filter(&self, kinds: &Kinds) -> Filter {
        let title = |service: &String| match &self.operation {
            Some(operation) => TitleFilter::Is(format!("{service}/{operation}")),
            None => TitleFilter::Below(service.clone()),
        };
        Filter {
            kind: self.kind.as_ref().map(|kind| match kinds.first().name() {
                first if first == kind => KindFilter::First,
                _ => KindFilter::Named(kind.clone()),
            }),
            title: self.service.as_ref().map(title),
            ..Filter::default()
        }
    }
}
