//! What measured points say about a load that was not measured, and what they do not.

mod curve;
mod squares;

pub use curve::{CONFIDENCE, Estimate, Line, Sample, Universal};
