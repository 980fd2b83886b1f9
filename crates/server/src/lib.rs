//! The shell of Hustings: everything that touches sockets, files, clocks and threads. It drives the pure planes.

pub mod actions;
pub mod alarms;
pub mod api;
pub mod archive;
pub mod cli;
pub mod clock;
pub mod config;
pub mod desk;
pub mod edge;
mod ending_signal;
pub mod glance;
pub mod house;
pub mod ingest;
pub mod live;
pub mod node;
pub mod numbers;
pub mod open_files;
pub mod ops;
pub mod pace;
pub mod pages;
pub mod preflight;
pub mod rehearsal;
pub mod rehearse;
pub mod shield;
pub mod stage;
pub mod store;
pub mod usher;
