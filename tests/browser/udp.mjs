// A relay for datagrams that stands between a speaker's browser and the server's media port, and can be a bad network.

import { createSocket } from "node:dgram";
import { once } from "node:events";

/** Peers that are relayed; a browser uses one or two ports for each connection it makes. Datagrams of one more are dropped. */
const PEERS_MAX = 64;
/** Datagrams on their way at once; one more is dropped, as a full queue of a router would. */
const UNDER_WAY_MAX = 4096;

/** The same seed gives the same losses, if the same datagrams come (mulberry32). */
const dice = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

export class Relay {
  /** How it treats each datagram: shares 0 to 1, times in ms. `late` of them come `lateMs` later, after others that were sent after them. */
  network = { loss: 0, late: 0, lateMs: 60, delayMs: 0, jitterMs: 0, dead: false };
  counts = { passed: 0, lost: 0, late: 0 };
  /** ms by which a timer of the relay itself came late, at worst; whoever judges a time sets it to 0 before. */
  worstMs = 0;
  #front = createSocket("udp4");
  #backs = new Map();
  #target;
  #random;
  #underWay = 0;

  static async to(target, seed = Number(process.env.SEED ?? 7)) {
    const relay = new Relay();
    relay.#target = target;
    relay.#random = dice(seed);
    relay.#front.bind(0, "127.0.0.1");
    await once(relay.#front, "listening");
    relay.#front.on("message", (bytes, { address, port }) => relay.#forward(bytes, address, port));
    relay.#front.on("error", () => {});
    relay.port = relay.#front.address().port;
    return relay;
  }

  close() {
    for (const socket of [this.#front, ...this.#backs.values()]) socket.close();
    this.#backs.clear();
  }

  #forward(bytes, address, port) {
    const peer = `${address}:${port}`;
    let back = this.#backs.get(peer);
    if (!back) {
      if (this.#backs.size >= PEERS_MAX) return;
      back = createSocket("udp4");
      back.on("message", (answer) => this.#pass(() => this.#front.send(answer, port, address)));
      back.on("error", () => {});
      this.#backs.set(peer, back);
    }
    this.#pass(() => back.send(bytes, this.#target, "127.0.0.1"));
  }

  #pass(send) {
    const { loss, late, lateMs, delayMs, jitterMs, dead } = this.network;
    if (dead || this.#random() < loss || this.#underWay >= UNDER_WAY_MAX) { this.counts.lost += 1; return; }
    const isLate = this.#random() < late;
    const wait = delayMs + this.#random() * jitterMs + (isLate ? lateMs : 0);
    this.counts.passed += 1;
    this.counts.late += Number(isLate);
    if (!wait) { send(); return; }
    this.#underWay += 1;
    // What was on its way when the network died does not arrive either.
    const due = performance.now() + wait;
    setTimeout(() => { this.worstMs = Math.max(this.worstMs, performance.now() - due); this.#underWay -= 1; if (!this.network.dead) try { send(); } catch { /* closed meanwhile */ } }, wait);
  }
}

/**
 * Reads an endless Ogg stream and keeps when each page came: {pages: [{at (ms since 1970), samples, bytes}], stop()}.
 * `samples` is the page's granule position.
 */
export const watchPages = async (address) => {
  const leave = new AbortController();
  const answer = await fetch(address, { signal: leave.signal });
  const pages = [];
  const reading = (async () => {
    let rest = Buffer.alloc(0);
    for await (const piece of answer.body) {
      rest = Buffer.concat([rest, piece]);
      for (;;) {
        const segments = rest.length > 27 ? rest[26] : 256;
        if (rest.length < 27 + segments) break;
        const length = 27 + segments + rest.subarray(27, 27 + segments).reduce((sum, one) => sum + one, 0);
        if (rest.length < length) break;
        pages.push({ at: Date.now(), samples: Number(rest.readBigInt64LE(6)), bytes: rest.subarray(0, length) });
        rest = rest.subarray(length);
      }
    }
  })().catch((error) => { if (error.name !== "AbortError") throw error; });
  return { pages, stop: async () => { leave.abort(); await reading; return Buffer.concat(pages.map(({ bytes }) => bytes)); } };
};
