//! A body that reports when it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

/// Calls a function when it is dropped.
pub(super) struct AtEnd(Box<dyn Fn() + Send>);

impl AtEnd {
    pub(super) fn new(call: impl Fn() + Send + 'static) -> Self {
        Self(Box::new(call))
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A body, with a function that is called when it is no longer read.
pub(super) struct Watched<B> {
    body: B,
    _at_end: AtEnd,
}

impl<B> Watched<B> {
    pub(super) fn new(body: B, at_end: AtEnd) -> Self {
        Self { body, _at_end: at_end }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
