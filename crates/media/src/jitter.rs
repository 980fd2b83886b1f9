//! Jitter buffer: reorders, follows the measured jitter, conceals; decodes nothing before a packet is due.
