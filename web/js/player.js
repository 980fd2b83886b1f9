// Sound from one endless GET, through MediaSource on one persistent <audio>. Falls back to <audio src>.

import { backoff, sleep } from "./util.js";
import { Mp4Splitter, WebmSplitter } from "./demux.js";

/** Seconds kept behind the play head. */
const KEEP_BEHIND = 10;
/** Seconds more than the target at which the player runs faster, and at which it jumps. */
const FAST_AT = 0.3, JUMP_AT = 3;
/** Seconds in store beside one cadence, for what the network does. */
const RESERVE = 0.2;
const FAST = 1.03, SLOW = 0.95;
/** The pace otherwise, below and above the target. Never 1: there Chromium leaves its stretching, which begins and ends with a skip
 * of some milliseconds, and a tone makes that heard. Up to a thousandth counts as 1 to it. */
const EVEN_FAST = 1.002, EVEN_SLOW = 0.998;
/** Seconds above the target at which the even pace turns. */
const TURN_AT = 0.1;
const LOOK_MS = 100;
/** ms in which a browser that refuses to begin without a press says so. */
const ALLOWED_MS = 250;
/** Asides that wait for their sound to be heard; when there are more, the oldest are let go. */
const ASIDES_MAX = 500;
/** Bytes that wait to be appended; more means that the element does not take sound, and it is set up anew. */
const QUEUE_MAX = 4 << 20;
/** The stream says something several times a second. After this silence the connection is held for dead. */
const SILENT_MS = 8000;
/** ms without a move of the play head after which it stands. */
const STANDS_MS = 500;

const FORMATS = [
  ["live.webm", 'audio/webm; codecs="opus"', WebmSplitter],
  ["live.mp4", 'audio/mp4; codecs="opus"', Mp4Splitter],
  ["live.mp4", 'audio/mp4; codecs="Opus"', Mp4Splitter],
];

/** What this browser takes, or null: then the plain stream. `?plain` and `?format=mp4` (webm, ogg) ask for one way, to try it. */
const choose = () => {
  const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
  const asked = new URLSearchParams(location.search);
  if (!Source || !globalThis.ReadableStream || asked.has("plain") || asked.get("format") === "ogg") return null;
  const format = FORMATS.find(([path, type]) => path.endsWith(asked.get("format") ?? "") && Source.isTypeSupported(type));
  return format ? { Source, path: format[0], type: format[1], Splitter: format[2] } : null;
};

/**
 * States: idle, armed (a press was given, waits for the doors), line (waits for its turn), starting, playing, finding, offline,
 * blocked, unplayable.
 * Events (CustomEvent): state {state, retryIn}, roster (detail: the roster, when its sound is heard), gone (the space may have ended).
 */
export class Player extends EventTarget {
  state = "idle";
  wanted = false;
  #audio;
  #base;
  #format = choose();
  #media = null;
  #buffer = null;
  #queue = [];
  #queued = 0;
  #abort = null;
  #attempt = 0;
  #cadence = 0.1;
  #seen = [];
  #heardAt = 0;
  /** Where the play head was when it last moved, and when that was. */
  #stood = { at: 0, since: 0 };
  #asides = [];
  #roster = null;
  #timer = 0;
  #hush = null;
  /** From a start to its stop. */
  #life = null;
  #door;
  #music;
  #holding = false;

  /** `music` is a file that is played while the turn is still to come. */
  constructor(audio, base, door, music) {
    super();
    this.#audio = audio;
    this.#base = base;
    this.#door = door;
    this.#music = music;
    audio.addEventListener("playing", () => {
      if (!this.wanted || this.#holding) return;
      if (!this.#format && door.state !== "in") door.inside();
      this.#to("playing");
    });
    audio.addEventListener("error", () => {
      // Music that this browser does not play is no loss: the turn comes all the same.
      if (this.#holding) return;
      if (this.#media) this.#anew(); else if (this.wanted) this.#plainFailed();
    });
    audio.addEventListener("ended", () => !this.#media && !this.#holding && this.wanted && this.#plainFailed());
    addEventListener("online", () => {
      if (!this.wanted || this.state === "playing") return;
      if (this.state === "offline") this.#to("finding");
      this.#hush?.abort();
    });
    addEventListener("offline", () => this.wanted && this.state === "finding" && this.#to("offline"));
  }

  /** Within a press: takes the browser's permission, and waits for `start`. */
  arm() {
    this.#open();
    this.#to("armed");
  }

  /** Whether this browser lets sound begin now, without a further press. */
  async may() {
    if (this.wanted || this.state === "armed") return true;
    const policy = navigator.getAutoplayPolicy?.(this.#audio);
    if (policy) return policy === "allowed";
    if (!this.#format) return Boolean(navigator.userActivation?.hasBeenActive);
    this.#open(false);
    const refused = this.#audio.play().then(() => false, (error) => error.name === "NotAllowedError");
    const allowed = !await Promise.race([refused, sleep(ALLOWED_MS).then(() => false)]);
    if (!allowed) this.#close();
    return allowed;
  }

  /** Within a press, or after `arm`. */
  start() {
    if (this.wanted) return;
    this.wanted = true;
    this.#life = new AbortController();
    this.#attempt = 0;
    this.#to("starting");
    // Within the press: it is what lets the sound begin by itself on the turn.
    if (this.#door.waits) this.#hold();
    if (!this.#format) return this.#plainly();
    if (!this.#door.waits && !this.#media) this.#open();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#run(this.#life.signal);
  }

  /** Ends the GET: the seat is free for somebody else. */
  stop() {
    this.wanted = false;
    this.#life?.abort();
    clearInterval(this.#timer);
    this.#abort?.abort();
    this.#hush?.abort();
    this.#close();
    this.#door.left();
    this.#to("idle");
  }

  /** Seconds between what has arrived and what is heard; null when it cannot be known. */
  behind() {
    const ranges = this.#audio.buffered;
    if (!this.#media || this.state !== "playing" || !ranges.length) return null;
    return Math.max(0, ranges.end(ranges.length - 1) - this.#audio.currentTime);
  }

  #to(state, more = {}) {
    if (this.state === state && !more.retryIn) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...more } }));
  }

  #open(play = true) {
    if (!this.#format) return;
    this.#silence();
    const media = new this.#format.Source();
    this.#media = media;
    this.#buffer = null;
    this.#queue = [];
    this.#queued = 0;
    this.#seen = [];
    this.#audio.disableRemotePlayback = true;
    this.#audio.preservesPitch = true;
    // A new source begins at the default.
    this.#audio.defaultPlaybackRate = EVEN_SLOW;
    this.#audio.playbackRate = EVEN_SLOW;
    media.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(this.#audio.src);
      if (media !== this.#media) return;
      this.#buffer = media.addSourceBuffer(this.#format.type);
      this.#buffer.addEventListener("updateend", () => this.#append());
      this.#append();
    }, { once: true });
    this.#audio.src = URL.createObjectURL(media);
    if (play) this.#play();
  }

  /** Quiet music from a file: it keeps a phone awake, and whoever hears it knows that sound works. */
  #hold() {
    if (this.#holding) return;
    this.#close();
    if (!this.#audio.canPlayType("audio/ogg; codecs=opus")) return;
    this.#holding = true;
    this.#audio.loop = true;
    this.#audio.src = this.#music;
    this.#play();
  }

  #silence() {
    this.#holding = false;
    this.#audio.loop = false;
  }

  /** Waits in line. True when it is worth asking for the sound. */
  async #turn(life) {
    this.#to("line");
    this.#hold();
    const came = await this.#door.pass();
    if (life.aborted) return false;
    if (!came) { this.stop(); return false; }
    this.#attempt = 0;
    this.#to("starting");
    this.#silence();
    if (this.#format) this.#open();
    return true;
  }

  #close() {
    this.#silence();
    this.#media = null;
    this.#buffer = null;
    this.#queue = [];
    this.#queued = 0;
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#audio.load();
  }

  #play() {
    this.#audio.play()?.catch((error) => {
      if (error.name === "NotAllowedError") { this.stop(); this.#to("blocked"); }
    });
  }

  /** The element gave up on its source: a new one, on the same element. */
  #anew() {
    if (!this.wanted) return;
    this.#abort?.abort();
    this.#open();
  }

  async #run(life) {
    while (!life.aborted) {
      if (this.#door.waits && !await this.#turn(life)) return;
      const abort = new AbortController();
      this.#abort = abort;
      let silent = setTimeout(() => abort.abort(), SILENT_MS);
      let status = 0, retryAfter = 0;
      try {
        // With the page's own credentials: a browser keeps connections without them apart, and would open another one here.
        const answer = await fetch(`${this.#base}/${this.#format.path}?burst=short&${this.#door.query()}`, { signal: abort.signal, cache: "no-store" });
        status = answer.status;
        retryAfter = Number(answer.headers.get("retry-after")) || 0;
        if (answer.ok) {
          const splitter = new this.#format.Splitter();
          const reader = answer.body.getReader();
          this.#fresh();
          for (;;) {
            const { value, done } = await reader.read();
            if (done) break;
            clearTimeout(silent);
            silent = setTimeout(() => abort.abort(), SILENT_MS);
            const { media, asides } = splitter.push(value);
            if (media.length) {
              if (this.#door.state !== "in") this.#door.inside();
              this.#attempt = 0;
              this.#push(media);
            }
            for (const aside of asides) this.#hearOf(aside);
          }
        }
      } catch { /* told below: every end is the same to the listener */ }
      clearTimeout(silent);
      abort.abort();
      if (life.aborted) return;
      if (status === 503 && await this.#refused(life)) continue;
      if (life.aborted) return;
      // What is in store goes on sounding; only then it is called lost.
      if (status === 404 || status === 409 || status === 410 || status === 200) this.dispatchEvent(new Event("gone"));
      const wait = Math.max(backoff(this.#attempt), Math.min(retryAfter, 60) * 1000 * (1 + Math.random() * 0.3));
      this.#attempt += 1;
      if (!navigator.onLine) this.#to("offline", { retryIn: wait });
      else if (this.state === "offline" || this.#store() < 0.1 || this.#attempt > 1) this.#to("finding", { retryIn: wait });
      this.#hush = new AbortController();
      await sleep(wait, this.#hush.signal);
    }
  }

  /** Asks the door why. True when the turn has come; false when it was not the door that refused, or would again. */
  async #refused(life) {
    const asked = this.#door.pass();
    await Promise.race([asked, new Promise((told) => this.#door.addEventListener("change", told, { once: true }))]);
    if (life.aborted) return false;
    if (this.#door.state === "wait") return this.#turn(life);
    const came = await asked && this.#door.holdsTicket && !this.#attempt && !life.aborted;
    if (came) this.#attempt = 1;
    return came;
  }

  #store() {
    const ranges = this.#audio.buffered;
    return ranges.length ? ranges.end(ranges.length - 1) - this.#audio.currentTime : 0;
  }

  /** A new answer begins with the container's head: the parser must forget what it had. */
  #fresh() {
    this.#queue = [];
    this.#queued = 0;
    this.#seen = [];
    this.#asides = [];
    try { if (this.#buffer && this.#media?.readyState === "open") this.#buffer.abort(); } catch { /* a buffer of an element that closed */ }
  }

  #push(bytes) {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#heardAt = performance.now();
    if (this.#queued > QUEUE_MAX) return this.#abort?.abort();
    this.#append();
  }

  #append() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#media?.readyState !== "open") return;
    this.#align();
    const head = this.#audio.currentTime - KEEP_BEHIND;
    if (buffer.buffered.length && buffer.buffered.start(0) < head - KEEP_BEHIND) return buffer.remove(0, head);
    if (!this.#queue.length) return;
    const bytes = this.#queue.length === 1 ? this.#queue[0] : new Uint8Array(this.#queued);
    if (this.#queue.length > 1) {
      let at = 0;
      for (const part of this.#queue) { bytes.set(part, at); at += part.length; }
    }
    try {
      buffer.appendBuffer(bytes);
      this.#queue = [];
      this.#queued = 0;
    } catch (error) {
      if (error.name === "QuotaExceededError" && buffer.buffered.length) buffer.remove(0, Math.max(buffer.buffered.start(0) + 0.1, this.#audio.currentTime - 1));
      else this.#anew();
    }
  }

  /** Puts the play head on the sound: at the start, and over holes. */
  #align() {
    const { buffered, currentTime } = this.#audio;
    if (!buffered.length || this.#audio.seeking) return;
    const last = buffered.length - 1;
    // A browser that runs dry may stop some tenths of a second before the hole, and would wait there for ever.
    const rest = this.#stands() ? last : 0;
    for (let i = rest; i <= last; i += 1) if (currentTime >= buffered.start(i) - 0.02 && currentTime < buffered.end(i) - 0.02) return;
    if (buffered.start(last) > currentTime + 0.02) this.#audio.currentTime = buffered.start(last) + 0.001;
  }

  /** Whether the head has not moved for a while, for want of sound. */
  #stands() {
    const { currentTime, paused, readyState } = this.#audio, now = performance.now();
    if (currentTime !== this.#stood.at || paused || readyState > 2) this.#stood = { at: currentTime, since: now };
    return now - this.#stood.since > STANDS_MS;
  }

  #look() {
    if (!this.#media || !this.wanted) return;
    const store = this.#store();
    const now = performance.now();
    this.#align();
    this.#tell();
    if (this.state === "playing" && store < 0.02 && now - this.#heardAt > 1000) this.#to(navigator.onLine ? "finding" : "offline");
    if (this.state !== "playing") {
      if (store > 0.1 && !this.#audio.paused && this.#audio.readyState > 2) this.#to("playing");
      else if (store > 0.1 && this.#audio.paused) this.#play();
      return;
    }
    // The store is a saw: it falls while playing and rises with each sweep. Its peak over one cadence says how far behind we are.
    const span = Math.max(600, this.#cadence * 1300);
    this.#seen.push([now, store]);
    while (this.#seen[0][0] < now - span) this.#seen.shift();
    if (now - this.#seen[0][0] < span * 0.7) return;
    const peak = Math.max(...this.#seen.map((one) => one[1]));
    const target = this.#cadence + RESERVE;
    const rate = this.#audio.playbackRate;
    if (peak > target + JUMP_AT) {
      const ranges = this.#audio.buffered;
      this.#audio.currentTime = ranges.end(ranges.length - 1) - target;
      this.#seen = [];
    } else if (peak > target + FAST_AT || (rate === FAST && peak > target + TURN_AT)) this.#pace(FAST);
    else if (peak < this.#cadence + 0.05 || (rate === SLOW && peak < target)) this.#pace(SLOW);
    else this.#pace(peak > target + (rate === EVEN_FAST ? 0 : TURN_AT) ? EVEN_FAST : EVEN_SLOW);
  }

  #pace(rate) {
    if (this.#audio.playbackRate !== rate) {
      this.#audio.preservesPitch = true;
      this.#audio.playbackRate = rate;
    }
  }

  /** The cadence is followed as soon as it is announced; all else waits for its sound. */
  #hearOf(aside) {
    const cadence = (aside.roster ?? aside.levels)?.cadenceMs;
    if (cadence > 0) this.#cadence = Math.min(cadence, 5000) / 1000;
    this.#asides.push(aside);
    if (this.#asides.length > ASIDES_MAX) this.#asides.shift();
  }

  /** Tells what is due by what is heard now. Levels count only for the roster that they were made for. */
  #tell() {
    let due = false;
    while (this.#asides.length && this.#asides[0].at <= this.#audio.currentTime) {
      const { roster, levels } = this.#asides.shift();
      if (roster) this.#roster = roster;
      else if (levels && levels.tag === this.#roster?.tag) {
        this.#roster = { ...this.#roster, people: this.#roster.people.map((person, i) => ({ ...person, level: levels.of[i] ?? 0 })) };
      } else continue;
      due = true;
    }
    if (due) this.dispatchEvent(new CustomEvent("roster", { detail: this.#roster }));
  }

  async #plainly() {
    if (this.#door.waits && !await this.#turn(this.#life.signal)) return;
    this.#plain();
  }

  #plain() {
    this.#silence();
    this.#audio.src = `${this.#base}/live.ogg?at=${Date.now()}&${this.#door.query()}`;
    this.#audio.play()?.catch((error) => {
      if (error.name === "NotAllowedError") { this.stop(); this.#to("blocked"); }
    });
  }

  async #plainFailed() {
    if (this.#audio.error?.code === 4 && !this.#audio.canPlayType('audio/ogg; codecs="opus"')) { this.stop(); return this.#to("unplayable"); }
    this.dispatchEvent(new Event("gone"));
    // An element does not tell why it got no sound: the door does.
    const { signal } = this.#life;
    const came = await this.#refused(signal);
    if (signal.aborted) return;
    if (came) return this.#plain();
    const wait = backoff(this.#attempt);
    this.#attempt += 1;
    this.#to(navigator.onLine ? "finding" : "offline", { retryIn: wait });
    this.#hush = new AbortController();
    await sleep(wait, this.#hush.signal);
    if (!signal.aborted) this.#plain();
  }
}
