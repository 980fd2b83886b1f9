//! WebM with Opus, live clusters, roster in an element that other players skip.
pub struct WebmPacker;
impl WebmPacker {
    pub fn new() -> Self {
        todo!()
    }
}
