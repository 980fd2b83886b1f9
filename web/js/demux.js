// Takes out of the stream what is said beside the sound, roster and levels: Void elements of WebM, emsg and free boxes of MP4.
// What remains is what MediaSource may have.

const EMPTY = new Uint8Array(0);
/** Bytes. The stream's largest element is a tenth of a second of sound; more is not our stream. */
const ELEMENT_MAX = 1 << 20;
/** Asides that wait for their sound: one or two come before each tenth of a second. */
const WAITING_MAX = 100;
const words = new TextDecoder();

const join = (a, b) => {
  if (!a.length) return b;
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
};

const parse = (bytes) => { try { return JSON.parse(words.decode(bytes)); } catch { return null; } };

/** Feeds bytes in, gives { media, asides } out: whole elements only. An aside is { at, roster } or { at, levels }: `at` is the
 * second of the sound that it goes with. */
class Splitter {
  #rest = EMPTY;
  #waiting = [];

  push(bytes) {
    let all = join(this.#rest, bytes);
    const media = [];
    const asides = [];
    let at = 0;
    for (;;) {
      const part = this.next(all, at);
      if (!part) break;
      if (part.aside) this.#waiting.push(part.aside);
      if (part.time !== undefined) for (const aside of this.#waiting.splice(0)) asides.push({ at: part.time, ...aside });
      if (!part.drop) media.push(all.subarray(at, part.end));
      at = part.end;
    }
    this.#rest = all.slice(at);
    if (this.#rest.length > ELEMENT_MAX || this.#waiting.length > WAITING_MAX) throw new Error("the stream holds something that is no sound");
    return { media: media.reduce(join, EMPTY), asides };
  }
}

const ROSTER = "HRO1", LEVELS = "HLV1";

/** What a Void element or a free box of ours says; null when it is not ours. */
const marked = (all, from, to) => {
  const magic = to - from > 4 ? words.decode(all.subarray(from, from + 4)) : "";
  if (magic === ROSTER) return { roster: parse(all.subarray(from + 4, trimmed(all, to))) };
  return magic === LEVELS && to - from >= 6 ? { levels: levels(all.subarray(from + 4, to)) } : null;
};

/** Tag of the roster they belong to, cadence in steps of 100 ms, then 4 bits for each person. */
const levels = (bytes) => ({ tag: bytes[0], cadenceMs: bytes[1] * 100, of: [...bytes.subarray(2)].flatMap((two) => [two >> 4, two & 15]) });

const SEGMENT = 0x18538067, CLUSTER = 0x1f43b675, VOID = 0xec, TIME = 0xe7;

export class WebmSplitter extends Splitter {
  next(all, at) {
    const id = vint(all, at, false);
    const size = id && vint(all, at + id.length, true);
    if (!size) return null;
    const body = at + id.length + size.length;
    // The segment has no end, and a cluster without a size ends where the next begins: only their heads are taken here.
    if (id.value === SEGMENT || (id.value === CLUSTER && size.unknown)) return { end: body };
    if (size.value > ELEMENT_MAX) throw new Error("an element of the stream is too large");
    const end = body + size.value;
    if (end > all.length) return null;
    if (id.value === VOID) {
      const aside = marked(all, body, end);
      return { end, aside, drop: aside !== null };
    }
    return id.value === CLUSTER ? { end, ...inside(all, body, end) } : { end };
  }
}

/** When a cluster begins, in seconds. An aside in it stays where it is: the browser skips it. */
const inside = (all, from, to) => {
  const found = { time: 0 };
  for (let at = from; at < to;) {
    const id = vint(all, at, false);
    const size = id && vint(all, at + id.length, true);
    if (!size || size.unknown) break;
    const body = at + id.length + size.length;
    if (id.value === TIME) found.time = all.subarray(body, body + size.value).reduce((ms, byte) => ms * 256 + byte, 0) / 1000;
    if (id.value === VOID) found.aside = marked(all, body, body + size.value) ?? found.aside;
    at = body + size.value;
  }
  return found;
};

/** Fillers of zeros after the JSON do not belong to it. */
const trimmed = (all, to) => { let end = to; while (all[end - 1] === 0) end -= 1; return end; };

const vint = (all, at, size) => {
  if (at >= all.length || !all[at]) { if (at < all.length) throw new Error("the stream is no WebM"); return null; }
  const length = Math.clz32(all[at]) - 23;
  if (at + length > all.length) return null;
  let value = size ? all[at] & (0xff >> length) : all[at];
  let ones = size && value === (0xff >> length);
  for (let i = 1; i < length; i += 1) {
    value = value * 256 + all[at + i];
    ones = ones && all[at + i] === 255;
  }
  return { value, length, unknown: ones };
};

const SCHEME = "urn:hustings:roster:1";
const RATE = 48000;

export class Mp4Splitter extends Splitter {
  next(all, at) {
    const box = boxAt(all, at);
    if (!box) return null;
    const { end, name } = box;
    if (name === "emsg") return { end, drop: true, aside: emsg(all.subarray(at, end)) };
    if (name === "free") return { end, drop: true, aside: marked(all, at + 8, end) };
    return name === "moof" ? { end, time: startOf(all, at, end) } : { end };
  }
}

const boxAt = (all, at) => {
  if (at + 8 > all.length) return null;
  const size = new DataView(all.buffer, all.byteOffset + at).getUint32(0);
  if (size < 8 || size > ELEMENT_MAX) throw new Error("the stream is no MP4");
  return at + size > all.length ? null : { end: at + size, name: words.decode(all.subarray(at + 4, at + 8)) };
};

/** Seconds at which the sound of a fragment begins: its tfdt, in version 0 or 1. */
const startOf = (all, from, to) => {
  for (let at = from + 8; at < to;) {
    const box = boxAt(all, at);
    if (!box) break;
    if (box.name === "tfdt") {
      const view = new DataView(all.buffer, all.byteOffset + at);
      return (all[at + 8] === 1 ? Number(view.getBigUint64(12)) : view.getUint32(12)) / RATE;
    }
    at = box.name === "traf" ? at + 8 : box.end;
  }
  return 0;
};

const emsg = (box) => {
  // Version 1: timescale 4, time 8, duration 4, id 4, then two texts that end with a zero, then the message.
  if (box[8] !== 1) return null;
  const scheme = box.indexOf(0, 32);
  if (scheme < 0 || words.decode(box.subarray(32, scheme)) !== SCHEME) return null;
  const value = box.indexOf(0, scheme + 1);
  return value < 0 ? null : { roster: parse(box.subarray(value + 1)) };
};
