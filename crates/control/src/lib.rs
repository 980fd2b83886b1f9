//! The control plane of Hustings: spaces, roles, invitations, and the gate. Pure: commands in, events or refusals out; time and
//! randomness are parameters; it opens no socket, file, thread or clock.

pub mod gate;
pub mod ids;
pub mod limits;
pub mod numbers;
pub mod reactions;
pub mod spaces;
