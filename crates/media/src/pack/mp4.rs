//! Fragmented MP4 with Opus, roster in emsg boxes.
pub struct Mp4Packer;
impl Mp4Packer {
    pub fn new() -> Self {
        todo!()
    }
}
