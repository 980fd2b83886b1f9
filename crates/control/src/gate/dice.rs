//! Numbers nobody outside can foresee: keyed BLAKE3 of a counter, four at a time.

pub(super) struct Dice {
    seed: [u8; 32],
    count: u64,
    left: [u64; 4],
    at: usize,
}

impl Dice {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            count: 0,
            left: [0; 4],
            at: 4,
        }
    }

    pub(super) fn roll(&mut self) -> u64 {
        if self.at == 4 {
            self.count += 1;
            let hash = blake3::keyed_hash(&self.seed, &self.count.to_le_bytes());
            for (number, bytes) in self.left.iter_mut().zip(hash.as_bytes().chunks(8)) {
                *number = bytes
                    .iter()
                    .fold(0, |number, byte| number << 8 | u64::from(*byte));
            }
            self.at = 0;
        }
        self.at += 1;
        self.left[self.at - 1]
    }
}
