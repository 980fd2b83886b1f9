//! Puzzles: a price in computing for those who will not wait, the same for a phone and no wall against anybody.
//!
//! A puzzle is a token of kind `Puzzle`; its last 16 bytes, the seal, are the challenge. For each of the eight parts the
//! client seeks a nonce so that the first four bytes of
//! `BLAKE3(challenge ‖ part as u32 ‖ nonce as u32)`, all little-endian, are a number below `2^32 / (tries / 8)`. BLAKE3 of 24
//! bytes is one compression, some sixty lines of plain JavaScript, and runs in a worker without WebAssembly. The solution is
//! the puzzle's 80 characters and, as 48 more, the base64url of the eight nonces and of the milliseconds it took (u32 each).
//!
//! **What it is worth.** A native solver with wide vectors on all cores is hundreds to thousands of times faster than a
//! phone's browser; a hash that needed much memory would narrow that, but checking it costs the server what the attacker
//! saves. So computing buys no more than the effort lane's share, whoever computes; how hard a puzzle is, is decided by
//! cohort (a group of prefixes), never for all, stands in the seal, and has a ceiling.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::limits::{COHORTS, EFFORT_MAX, EFFORT_MIN, PUZZLE_PARTS, SOLVE_P90_MS};
use super::ticket::{TOKEN_BYTES, TOKEN_CHARS, Token};

const PROOF_BYTES: usize = PUZZLE_PARTS * 4 + 4;
const PROOF_CHARS: usize = PROOF_BYTES / 3 * 4;
/// Characters of a puzzle with its solution.
pub const SOLUTION_CHARS: usize = TOKEN_CHARS + PROOF_CHARS;

/// A solution as it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Solution([u8; SOLUTION_CHARS]);

impl Solution {
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Solution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Solution(..)")
    }
}

/// The proof part of a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    nonces: [u32; PUZZLE_PARTS],
    /// What the client says it took.
    pub(crate) millis: u32,
}

impl Proof {
    /// `text` is what follows the puzzle's own characters.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; PROOF_BYTES];
        if text.len() != PROOF_CHARS
            || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(PROOF_BYTES)
        {
            return None;
        }
        let word = |at: usize| {
            u32::from_le_bytes([
                bytes[at * 4],
                bytes[at * 4 + 1],
                bytes[at * 4 + 2],
                bytes[at * 4 + 3],
            ])
        };
        Some(Self {
            nonces: std::array::from_fn(word),
            millis: word(PUZZLE_PARTS),
        })
    }

    /// Stops at the first part that is wrong, so that a forged solution costs one hash.
    pub(crate) fn solves(&self, puzzle: &[u8], tries: u32) -> bool {
        let Some(challenge) = challenge(puzzle) else {
            return false;
        };
        let limit = limit(tries);
        self.nonces
            .iter()
            .zip(0..)
            .all(|(nonce, part)| value(&challenge, part, *nonce) < limit)
    }
}

/// Solves a puzzle the way a client does. The simulations and the tests use it; `from` is where the search begins.
pub fn solve(puzzle: &[u8], tries: u32, from: u32, millis: u32) -> Option<Solution> {
    let challenge = challenge(puzzle)?;
    let limit = limit(tries);
    let mut proof = [0; PROOF_BYTES];
    for part in 0..PUZZLE_PARTS {
        let mut nonces = (0..=u32::MAX).map(|step| step.wrapping_add(from));
        let nonce = nonces.find(|nonce| value(&challenge, part as u32, *nonce) < limit)?;
        proof[part * 4..part * 4 + 4].copy_from_slice(&nonce.to_le_bytes());
    }
    proof[PUZZLE_PARTS * 4..].copy_from_slice(&millis.to_le_bytes());
    let mut text = [0; SOLUTION_CHARS];
    text[..TOKEN_CHARS].copy_from_slice(puzzle);
    URL_SAFE_NO_PAD
        .encode_slice(proof, &mut text[TOKEN_CHARS..])
        .ok()?;
    Some(Solution(text))
}

fn challenge(puzzle: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; TOKEN_BYTES];
    if puzzle.len() != TOKEN_CHARS
        || URL_SAFE_NO_PAD.decode_slice(puzzle, &mut bytes) != Ok(TOKEN_BYTES)
    {
        return None;
    }
    bytes[TOKEN_BYTES - 16..].try_into().ok()
}

fn limit(tries: u32) -> u32 {
    u32::MAX / (tries / PUZZLE_PARTS as u32).max(1)
}

fn value(challenge: &[u8; 16], part: u32, nonce: u32) -> u32 {
    let mut message = [0; 24];
    message[..16].copy_from_slice(challenge);
    message[16..20].copy_from_slice(&part.to_le_bytes());
    message[20..].copy_from_slice(&nonce.to_le_bytes());
    let hash = blake3::hash(&message);
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// How hard puzzles are for one group of prefixes at one door, and what came of it.
pub(crate) struct Cohort {
    tries: AtomicU32,
    /// Never above it: falls where solving takes too long, recovers slowly.
    ceiling: AtomicU32,
    solved: AtomicU32,
    slow: AtomicU32,
}

impl Default for Cohort {
    fn default() -> Self {
        Self {
            tries: AtomicU32::new(EFFORT_MIN),
            ceiling: AtomicU32::new(EFFORT_MAX),
            solved: AtomicU32::new(0),
            slow: AtomicU32::new(0),
        }
    }
}

impl Cohort {
    pub(crate) fn of(tag: u32) -> usize {
        (tag >> 8) as usize % COHORTS
    }

    pub(crate) fn tries(&self) -> u32 {
        self.tries.load(Relaxed)
    }

    pub(crate) fn solved(&self, millis: u32) {
        self.solved.fetch_add(1, Relaxed);
        self.slow
            .fetch_add(u32::from(millis > SOLVE_P90_MS), Relaxed);
    }

    /// Every few seconds: easier where more than one in ten took too long, harder where the cohort brings more solutions
    /// than its part of the lane (`fair`), easier again where it does not. Other cohorts do not come into it.
    pub(crate) fn adjust(&self, fair: u32) {
        let (solved, slow) = (self.solved.swap(0, Relaxed), self.slow.swap(0, Relaxed));
        let (tries, ceiling) = (self.tries(), self.ceiling.load(Relaxed));
        let too_slow = slow > 0 && slow * 10 > solved;
        let ceiling = if too_slow {
            tries * 2 / 3
        } else {
            ceiling + ceiling / 50
        }
        .clamp(EFFORT_MIN, EFFORT_MAX);
        let wanted = if too_slow {
            tries * 2 / 3
        } else if solved > fair.max(4) {
            tries + tries / 4
        } else {
            tries - tries / 10
        };
        self.ceiling.store(ceiling, Relaxed);
        self.tries.store(wanted.clamp(EFFORT_MIN, ceiling), Relaxed);
    }
}

/// Whether the detail of a sealed puzzle is one we make; a sealed one always is.
pub(crate) fn tries_of(token: &Token) -> u32 {
    token.detail.0.clamp(1, EFFORT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_solves_its_puzzle_and_no_other() {
        let puzzle = [b'A'; TOKEN_CHARS];
        let solution = solve(&puzzle, 800, 7, 1_234).unwrap();
        let proof = Proof::read(&solution.as_bytes()[TOKEN_CHARS..]).unwrap();
        assert_eq!(proof.millis, 1_234);
        assert!(proof.solves(&puzzle, 800));
        assert!(!proof.solves(&puzzle, 800_000), "harder");
        let mut other = puzzle;
        other[TOKEN_CHARS - 1] = b'B';
        assert!(!proof.solves(&other, 800));
        assert!(!proof.solves(b"short", 800) && Proof::read(b"short").is_none());
    }

    /// The vectors that a solver in another language is checked against: `tests/browser/line.mjs` reads the same file.
    #[test]
    fn the_hash_and_the_form_of_a_solution_are_as_written_down() {
        #[derive(serde::Deserialize)]
        struct Vectors {
            hashes: Vec<Hash>,
            puzzles: Vec<Solved>,
        }
        #[derive(serde::Deserialize)]
        struct Hash {
            challenge: String,
            part: u32,
            nonce: u32,
            value: u32,
        }
        #[derive(serde::Deserialize)]
        struct Solved {
            puzzle: String,
            tries: u32,
            from: u32,
            solution: String,
        }
        let vectors: Vectors = serde_json::from_str(include_str!("puzzle_vectors.json")).unwrap();
        assert!(vectors.hashes.len() > 2 && vectors.puzzles.len() > 1);
        for one in vectors.hashes {
            let digit = |at| u8::from_str_radix(&one.challenge[at..at + 2], 16).unwrap();
            let challenge: [u8; 16] = std::array::from_fn(|byte| digit(2 * byte));
            let mut message = challenge.to_vec();
            message.extend(one.part.to_le_bytes());
            message.extend(one.nonce.to_le_bytes());
            let hash = blake3::hash(&message);
            let bytes = one.value.to_le_bytes();
            assert_eq!(bytes, hash.as_bytes()[..4], "BLAKE3");
            assert_eq!(value(&challenge, one.part, one.nonce), one.value);
        }
        for one in vectors.puzzles {
            let solution = solve(one.puzzle.as_bytes(), one.tries, one.from, 0).unwrap();
            assert_eq!(&solution.as_bytes()[TOKEN_CHARS..], one.solution.as_bytes());
        }
    }

    #[test]
    fn tries_are_as_many_as_said() {
        let sum: u64 = (0..40_u8)
            .map(|puzzle| {
                let challenge = [puzzle; 16];
                (0..8)
                    .map(|part| {
                        (0..)
                            .find(|nonce| value(&challenge, part, *nonce) < limit(1_600))
                            .unwrap() as u64
                            + 1
                    })
                    .sum::<u64>()
            })
            .sum();
        assert!((56_000..72_000).contains(&sum), "{sum} of 64,000");
    }

    #[test]
    fn a_cohort_gets_harder_by_its_own_doing_only_and_never_too_slow() {
        let (greedy, quiet) = (Cohort::default(), Cohort::default());
        for _ in 0..200 {
            (0..1_000).for_each(|_| greedy.solved(5));
            greedy.adjust(10);
            quiet.solved(900);
            quiet.adjust(10);
        }
        assert_eq!(greedy.tries(), EFFORT_MAX);
        assert_eq!(quiet.tries(), EFFORT_MIN);
        // Phones need 30 us a try: their p90 has to fall below 3 s and stay there.
        let mut worst = 0;
        for round in 0..300 {
            let each = greedy.tries() * 30 / 1_000;
            (0..100).for_each(|_| greedy.solved(each));
            greedy.adjust(10);
            worst = if round < 20 { 0 } else { worst.max(each) };
        }
        assert!(worst < SOLVE_P90_MS * 13 / 10, "{worst} ms");
    }
}
