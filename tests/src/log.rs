//! Collects what a process prints while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// The lines that have been read so far.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    /// Reads lines in a thread, until the stream ends.
    pub fn collect(&self, from: impl Read + Send + 'static) {
        let log = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                if let Ok(mut text) = log.0.lock() {
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        });
    }

    /// Returns all lines.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.lock().map(|text| text.clone()).unwrap_or_default()
    }
}

/// Returns the lines of a log that are JSON.
#[must_use]
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}
