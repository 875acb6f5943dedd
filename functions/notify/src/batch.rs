//! Batches of the table's stream.

use serde::Deserialize;

/// A batch, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    kind: String,
    dynamodb: Change,
}

#[derive(Debug, Deserialize)]
struct Change {
    #[serde(rename = "SequenceNumber")]
    number: String,
    #[serde(rename = "NewImage")]
    item: Option<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    entry: Option<Text>,
}

#[derive(Debug, Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

impl Batch {
    /// Returns a name that every delivery of the batch has, and no other batch.
    pub(crate) fn name(&self) -> Option<String> {
        let (first, last) = (self.records.first()?, self.records.last()?);
        Some(format!(
            "audit/{}-{}.jsonl",
            first.dynamodb.number, last.dynamodb.number
        ))
    }

    /// Returns the new entries of the audit log, each as a line.
    pub(crate) fn entries(&self) -> Vec<String> {
        let new = self.records.iter().filter(|record| record.kind == "INSERT");
        let entries = new.filter_map(|record| record.dynamodb.item.as_ref()?.entry.as_ref());
        entries.map(|entry| format!("{}\n", entry.text)).collect()
    }
}
