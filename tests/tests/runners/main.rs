//! The contract of runners, on real ones.

mod ansible;
