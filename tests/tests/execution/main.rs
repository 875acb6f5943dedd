//! From a request to its end: submitting, executing, sweeping and writing output, on the embedded adapters.

mod attempts;
mod detached;
mod ends;
mod injected;
mod limits;
mod outages;
mod output;
mod script;
mod site;
mod submitting;
mod sweeping;
