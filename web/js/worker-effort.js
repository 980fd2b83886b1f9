// The short sum of the effort lane, beside the page so that the page stays quick. BLAKE3 of 24 bytes is one compression; the
// form is that of crates/control/src/gate/puzzle.rs, and both are checked against crates/control/src/gate/puzzle_vectors.json.

const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const MIX = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];
/** Chunk start, chunk end, root: the message is one block. */
const FLAGS = 11, MESSAGE_BYTES = 24, PARTS = 8, ROUNDS = 7;
/** Which words of the message each step of each round takes. */
const SCHEDULE = (() => {
  const all = [];
  let order = [...Array(16).keys()];
  for (let round = 0; round < ROUNDS; round += 1) {
    all.push(...order);
    order = ORDER.map((from) => order[from]);
  }
  return Uint8Array.from(all);
})();
const STEPS = Uint8Array.from(MIX.flat());
const state = new Int32Array(16);

/** The hash's first four bytes as a number. `message` is an Int32Array of 16 words, six of them used. */
export const value = (message) => {
  const v = state;
  for (let i = 0; i < 8; i += 1) v[i] = IV[i];
  for (let i = 0; i < 4; i += 1) v[8 + i] = IV[i];
  v[12] = v[13] = 0;
  v[14] = MESSAGE_BYTES;
  v[15] = FLAGS;
  for (let round = 0, at = 0; round < ROUNDS; round += 1) {
    for (let step = 0; step < 32; step += 4, at += 2) {
      const a = STEPS[step], b = STEPS[step + 1], c = STEPS[step + 2], d = STEPS[step + 3];
      let va = v[a], vb = v[b], vc = v[c], vd = v[d];
      va = (va + vb + message[SCHEDULE[at]]) | 0;
      vd ^= va; vd = (vd >>> 16) | (vd << 16);
      vc = (vc + vd) | 0;
      vb ^= vc; vb = (vb >>> 12) | (vb << 20);
      va = (va + vb + message[SCHEDULE[at + 1]]) | 0;
      vd ^= va; vd = (vd >>> 8) | (vd << 24);
      vc = (vc + vd) | 0;
      vb ^= vc; vb = (vb >>> 7) | (vb << 25);
      v[a] = va; v[b] = vb; v[c] = vc; v[d] = vd;
    }
  }
  return (v[0] ^ v[8]) >>> 0;
};

/** The last 16 bytes of the puzzle's 60 are the challenge, the first four words of the message. */
const challenge = (puzzle) => {
  const bytes = Uint8Array.from(atob(puzzle.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer, bytes.length - 16);
  const message = new Int32Array(16);
  for (let i = 0; i < 4; i += 1) message[i] = view.getInt32(i * 4, true);
  return message;
};

const limitOf = (tries) => Math.floor(0xffffffff / Math.max(1, Math.floor(tries / PARTS)));

/** Eight nonces and the milliseconds that they took, as 48 characters. */
export const solve = (puzzle, tries, from = crypto.getRandomValues(new Uint32Array(1))[0], now = () => performance.now()) => {
  const began = now();
  const message = challenge(puzzle);
  const limit = limitOf(tries);
  const proof = new DataView(new ArrayBuffer(PARTS * 4 + 4));
  for (let part = 0; part < PARTS; part += 1) {
    message[4] = part;
    let nonce = from >>> 0;
    for (message[5] = nonce; value(message) >= limit; message[5] = nonce) nonce = (nonce + 1) >>> 0;
    proof.setUint32(part * 4, nonce, true);
  }
  proof.setUint32(PARTS * 4, Math.round(now() - began), true);
  return btoa(String.fromCharCode(...new Uint8Array(proof.buffer))).replaceAll("+", "-").replaceAll("/", "_");
};

if (globalThis.WorkerGlobalScope) globalThis.addEventListener("message", ({ data }) => globalThis.postMessage(solve(data.puzzle, data.tries)));
