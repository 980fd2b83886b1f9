//! The headers of a stream of Ogg pages (RFC 3533), told apart however its bytes are cut. No page is opened or kept, so that
//! thousands of streams can be followed.

/// Bytes of a page's header before its table of segments.
const FIXED: usize = 27;
/// Bytes of the longest header there is.
const LONGEST: usize = FIXED + 255;

/// What a page's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHead {
    /// Samples at 48 kHz at the page's end; 0 in the stream's own heads.
    pub granule: u64,
    pub serial: u32,
    /// Counted from the stream's begin.
    pub number: u32,
}

/// Follows one stream, fed as it comes.
#[derive(Clone, Debug)]
pub struct PageHeads {
    header: [u8; LONGEST],
    filled: usize,
    /// Bytes of the page's body that are still to come.
    skip: usize,
}

impl Default for PageHeads {
    fn default() -> Self {
        Self {
            header: [0; LONGEST],
            filled: 0,
            skip: 0,
        }
    }
}

impl PageHeads {
    /// Tells `each` header that ends in these bytes. False when this is no Ogg; feed it no more then.
    pub fn follow(&mut self, mut bytes: &[u8], mut each: impl FnMut(PageHead)) -> bool {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (self.wanted() - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            // Told at once: what is no page would also lie about its length.
            if self.filled >= 4 && !self.header.starts_with(b"OggS") {
                return false;
            }
            if self.filled >= FIXED && self.filled == self.wanted() {
                each(self.head());
                self.filled = 0;
            }
        }
        true
    }

    fn wanted(&self) -> usize {
        if self.filled < FIXED {
            FIXED
        } else {
            FIXED + usize::from(self.header[26])
        }
    }

    /// Reads the header that is whole now; what follows it is skipped.
    fn head(&mut self) -> PageHead {
        let header = &self.header[..self.filled];
        let number = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        self.skip = header[FIXED..]
            .iter()
            .map(|lacing| usize::from(*lacing))
            .sum();
        PageHead {
            granule: u64::from(number(6)) | u64::from(number(10)) << 32,
            serial: number(14),
            number: number(18),
        }
    }
}
