//! The stage listener from outside, by HTTP over loopback.

mod links;
mod people;
mod sign_in;
mod spaces;
mod support;
mod whip;
