//! What happens to a reader that falls behind.
