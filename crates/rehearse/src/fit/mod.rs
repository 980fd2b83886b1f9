//! What measured points say about a load that was not measured, and what they do not.

mod asking;
mod claim;
mod curve;
mod squares;

pub use claim::{
    BEYOND_MOST, Capacity, Claim, DRIVER_CPU_MOST, DRIVER_LATE_MOST_MS, DRIVER_UNSENT_MOST, Driver,
    Fit, POINTS_LEAST, Point, ROUNDS_LEAST, Use,
};
pub use curve::{CONFIDENCE, Estimate, Line, Sample, Universal};
