//! The desk on a real store.
