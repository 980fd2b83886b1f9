// Takes the roster out of the stream: Void elements of WebM, emsg boxes of MP4. What remains is what MediaSource may have.

const EMPTY = new Uint8Array(0);
/** Bytes. The stream's largest element is a tenth of a second of sound; more is not our stream. */
const ELEMENT_MAX = 1 << 20;
const words = new TextDecoder();

const join = (a, b) => {
  if (!a.length) return b;
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
};

const parse = (bytes) => { try { return JSON.parse(words.decode(bytes)); } catch { return null; } };

/** Feeds bytes in, gives { media, rosters } out: whole elements only. */
class Splitter {
  #rest = EMPTY;

  push(bytes) {
    let all = join(this.#rest, bytes);
    const media = [];
    const rosters = [];
    let at = 0;
    for (;;) {
      const part = this.next(all, at);
      if (!part) break;
      if (part.roster) rosters.push(part.roster);
      if (!part.drop) media.push(all.subarray(at, part.end));
      at = part.end;
    }
    this.#rest = all.slice(at);
    if (this.#rest.length > ELEMENT_MAX) throw new Error("the stream holds something that is no sound");
    return { media: media.reduce(join, EMPTY), rosters };
  }
}

const SEGMENT = 0x18538067, CLUSTER = 0x1f43b675, VOID = 0xec;

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
      const roster = voidRoster(all, body, end);
      return { end, roster, drop: roster !== null };
    }
    return { end, roster: id.value === CLUSTER ? inside(all, body, end) : null };
  }
}

/** A roster in a cluster of known size stays where it is: the browser skips it. */
const inside = (all, from, to) => {
  let found = null;
  for (let at = from; at < to;) {
    const id = vint(all, at, false);
    const size = id && vint(all, at + id.length, true);
    if (!size || size.unknown) break;
    const body = at + id.length + size.length;
    if (id.value === VOID) found = voidRoster(all, body, body + size.value) ?? found;
    at = body + size.value;
  }
  return found;
};

const voidRoster = (all, from, to) =>
  (to - from > 4 && all[from] === 72 && all[from + 1] === 82 && all[from + 2] === 79 && all[from + 3] === 49 ? parse(all.subarray(from + 4, trimmed(all, to))) : null);

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

export class Mp4Splitter extends Splitter {
  next(all, at) {
    if (at + 8 > all.length) return null;
    const view = new DataView(all.buffer, all.byteOffset + at);
    const size = view.getUint32(0);
    if (size < 8 || size > ELEMENT_MAX) throw new Error("the stream is no MP4");
    const end = at + size;
    if (end > all.length) return null;
    if (words.decode(all.subarray(at + 4, at + 8)) !== "emsg") return { end };
    return { end, drop: true, roster: emsgRoster(all.subarray(at, end)) };
  }
}

const emsgRoster = (box) => {
  // Version 1: timescale 4, time 8, duration 4, id 4, then two texts that end with a zero, then the message.
  if (box[8] !== 1) return null;
  const scheme = box.indexOf(0, 32);
  if (scheme < 0 || words.decode(box.subarray(32, scheme)) !== SCHEME) return null;
  const value = box.indexOf(0, scheme + 1);
  return value < 0 ? null : parse(box.subarray(value + 1));
};
