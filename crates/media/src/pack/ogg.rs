//! Ogg Opus (RFC 7845), endless: one serial number from the space id, a granule position that runs on.
/// Serial = hash of the space id, made by the caller.
pub struct OggPacker; impl OggPacker { pub fn new(serial: u32, title: &str) -> Self { let _ = (serial, title); todo!() } }
