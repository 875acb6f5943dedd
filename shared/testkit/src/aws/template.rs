//! Reads `infra/template.yaml`, so that the tests create the same resources as a deployment.
//!
//! CloudFormation's functions are YAML tags, which are dropped when reading: `!Ref X` becomes `X`, and `!GetAtt X.Arn` becomes `X.Arn`.

use anyhow::Context;
use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/template.yaml");

/// The template.
#[derive(Clone, Debug)]
pub struct Template(Value);

/// A part of the template that knows its own location.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    template: &'a Template,
    path: String,
    value: &'a Value,
}

impl Template {
    /// Reads the file.
    ///
    /// # Errors
    /// The file is missing or is not YAML.
    pub fn load() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(PATH).context(PATH)?;
        Ok(Self(serde_saphyr::from_str(&text).context(PATH)?))
    }

    /// Returns the properties of a resource.
    ///
    /// # Errors
    /// There is no such resource.
    pub fn properties(&self, id: &str) -> anyhow::Result<Part<'_>> {
        self.at(&format!("/Resources/{id}/Properties"))
    }

    /// Returns the logical ids of all resources of a type, such as `AWS::SQS::Queue`.
    #[must_use]
    pub fn ids_of(&self, kind: &str) -> Vec<&str> {
        let resources = self.0["Resources"].as_object().into_iter().flatten();
        resources
            .filter(|(_, resource)| resource["Type"] == kind)
            .map(|(id, _)| id.as_str())
            .collect()
    }

    /// Returns the value at a JSON pointer.
    ///
    /// # Errors
    /// There is no such value.
    pub fn at(&self, pointer: &str) -> anyhow::Result<Part<'_>> {
        let root = Part {
            template: self,
            path: String::new(),
            value: &self.0,
        };
        root.at(pointer)
    }
}

impl<'a> Part<'a> {
    /// Returns the value at a JSON pointer relative to this part. A parameter is replaced by its default.
    ///
    /// # Errors
    /// There is no such value.
    pub fn at(&self, pointer: &str) -> anyhow::Result<Self> {
        let path = format!("{}{pointer}", self.path);
        let value = self.value.pointer(pointer);
        let value = value.with_context(|| format!("infra/template.yaml has no {path}"))?;
        let parameter = value
            .as_str()
            .map(|name| &self.template.0["Parameters"][name]["Default"]);
        Ok(Self {
            template: self.template,
            path,
            value: parameter.filter(|default| !default.is_null()).unwrap_or(value),
        })
    }

    /// Returns the text at a JSON pointer relative to this part.
    ///
    /// # Errors
    /// There is no text there.
    pub fn text(&self, pointer: &str) -> anyhow::Result<&'a str> {
        let part = self.at(pointer)?;
        part.value.as_str().with_context(|| part.is_not("a text"))
    }

    /// Returns the whole number at a JSON pointer relative to this part.
    ///
    /// # Errors
    /// There is no number there, or it does not fit the caller's type.
    pub fn number<T: TryFrom<u64>>(&self, pointer: &str) -> anyhow::Result<T> {
        let part = self.at(pointer)?;
        let number = part.value.as_u64().and_then(|number| T::try_from(number).ok());
        number.with_context(|| part.is_not("a number"))
    }

    /// Returns the boolean at a JSON pointer relative to this part.
    ///
    /// # Errors
    /// There is no boolean there.
    pub fn flag(&self, pointer: &str) -> anyhow::Result<bool> {
        let part = self.at(pointer)?;
        part.value.as_bool().with_context(|| part.is_not("true or false"))
    }

    /// Returns the items of the list at a JSON pointer relative to this part.
    ///
    /// # Errors
    /// There is no list there, or it is empty.
    pub fn list(&self, pointer: &str) -> anyhow::Result<Vec<Self>> {
        let part = self.at(pointer)?;
        let count = part.value.as_array().map_or(0, Vec::len);
        anyhow::ensure!(count > 0, part.is_not("a list with something in it"));
        (0..count).map(|index| part.at(&format!("/{index}"))).collect()
    }

    /// Returns the text and number fields of this object with their names. Values that a CloudFormation function
    /// computes are left out.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'a str, String)> {
        let fields = self.value.as_object().into_iter().flatten();
        let values = fields.filter_map(|(name, _)| Some((name.as_str(), self.at(&format!("/{name}")).ok()?.value)));
        values
            .filter_map(|(name, value)| match value {
                Value::String(text) => Some((name, text.clone())),
                Value::Number(number) => Some((name, number.to_string())),
                _ => None,
            })
            .collect()
    }

    fn is_not(&self, what: &str) -> String {
        format!("infra/template.yaml: {} is not {what}: {}", self.path, self.value)
    }
}
