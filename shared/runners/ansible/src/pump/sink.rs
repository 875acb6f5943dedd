//! Where a job's redacted output and events go: to the viewer, and to where they are kept.

use std::sync::Arc;

use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_core::redact;
use callboard_kind_ansible::event::Event;

use crate::collect::{Collector, PartialEvent};
use crate::findings::Findings;
use crate::viewer::{Channel, Viewer};

/// A mark between two bytes of the output.
pub(super) enum Mark {
    Begin(PartialEvent),
    End,
    Switch(Channel),
}

/// Where redacted output and events go.
pub(super) struct Sink<'a> {
    pub(super) collector: Collector,
    pub(super) output: &'a Output,
    pub(super) viewer: Option<Arc<dyn Viewer>>,
    pub(super) channel: Channel,
    pub(super) findings: Findings,
}

impl Sink<'_> {
    pub(super) async fn take(&mut self, pieces: Vec<redact::Piece<'_, Mark>>) -> Result<(), StoreError> {
        for piece in pieces {
            let mut events = Vec::new();
            match piece {
                redact::Piece::Text(text) => {
                    if let Some(viewer) = &self.viewer {
                        viewer.show(self.channel, &text);
                    }
                    self.output.stdout(&text).await?;
                    self.collector.text(&text, &mut events);
                }
                redact::Piece::Mark(Mark::Begin(event)) => self.collector.begin(event, &mut events),
                redact::Piece::Mark(Mark::End) => self.collector.end(&mut events),
                redact::Piece::Mark(Mark::Switch(channel)) => self.channel = channel,
            }
            self.keep(events).await?;
        }
        Ok(())
    }

    async fn keep(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        for event in events {
            if let Some(progress) = self.findings.tracker.read(&event) {
                self.output.report(Object::of(&progress));
            }
            self.output.event(&event).await?;
        }
        Ok(())
    }
}
