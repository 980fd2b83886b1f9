// The door: what this page may show there, and the wait in line. Who waits sleeps until it is worth looking again, and looks at
// serving.json, which is small and the same for everybody. Places and tickets live with this page: the server keeps none.

import { backoff, sleep } from "./util.js";

const TOKEN = /^[\w-]{80}$/;
/** ms between two looks: the same bounds as the server's own, whose answers say how long for whom. */
const POLL_MIN = 2000, POLL_MAX = 600000, POLL_UNKNOWN = 30000;
/** ms to the first look when nobody knows how long it takes; each later one waits twice as long, up to the bound above. */
const SOON_MS = 6000;
/** ms that a ticket is shown before the place is shown again: tickets are good for ten minutes. */
const TICKET_MS = 9 * 60000;
/** ms from the start of the sound to the first question for the right to come back, and as much again at most. */
const RESUME_MS = 11_000;
/** Questions for it that may fail before it is left until the next start. */
const RESUME_TRIES = 5;
/** ms until the place kept here counts as another tab's: a page that is loaded anew finds its own old self still going. */
const WHOSE_MS = 120;
/** Puzzles that one page solves, and ms that a solution is good. */
const PUZZLES_MAX = 3, SOLVED_MS = 270000;
/** Causes for which the turn is still to come; at others only a seat is missing. */
const TO_COME = new Set(["no_right", "not_your_turn"]);
/** ms without anybody called after which no seat is in sight. */
const FULL_MS = 60000;

const keep = (store, key, value) => { try { if (value === null) store.removeItem(key); else store.setItem(key, JSON.stringify(value)); } catch { /* storage may be closed, or full */ } };
const kept = (store, key) => { try { return JSON.parse(store.getItem(key)); } catch { return null; } };
const stores = (name) => { try { return globalThis[name]; } catch { return undefined; } };

/** The same rule as the server's: three quarters of the way to the expected turn, and a little by chance. */
export const pollAfter = (wait, looks = 9) => {
  if (!wait) return Math.min(POLL_UNKNOWN * (1 + Math.random()), SOON_MS * 2 ** looks * (0.8 + Math.random() * 0.4));
  const pause = (wait.low_s + wait.high_s) * 375;
  return pause < POLL_MIN ? POLL_MIN * (1 + Math.random()) : Math.min(pause, POLL_MAX) * (1 + Math.random() * 0.1);
};

/** Seconds from a quick to a slow minute, by places called a second. */
export const estimate = (ahead, pace) => (pace ? { low_s: Math.ceil(ahead / pace[1]), high_s: Math.ceil(ahead / pace[0]) } : null);

/**
 * States: out (nothing to wait for), wait, turn (a ticket is in hand), in (the sound has begun).
 * Events: change (anything that is shown has changed), turn (once, when it comes), gone (the space may be over).
 */
export class Door extends EventTarget {
  state = "out";
  /** { position, ahead, wait, cause, called, pace, draw_at, since, checked, full } while in line. */
  line = null;
  /** What the operator tells those who wait; empty when nothing. */
  message = "";
  /** Set while the operator keeps the door shut to newcomers: there is no place to wait at. */
  closed = false;
  /** Set while this device computes. */
  solving = false;
  #base;
  #space;
  #mark = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  #back = null;
  #ticket = null;
  #invited = null;
  #place = null;
  #solved = null;
  #puzzles = 0;
  #going = null;
  #stop = null;
  #wake = null;
  #renew = 0;
  #alone = null;
  /** Gives the place kept here free for other tabs. */
  #release = null;
  #channel = null;
  #local = stores("localStorage");
  #session = stores("sessionStorage");

  constructor(base, space) {
    super();
    this.#base = base;
    this.#space = space;
    // Taken out while this page lives, for a copied tab would copy it, and two would fight for one seat.
    this.#back = kept(this.#session, this.#key("back"));
    keep(this.#session, this.#key("back"), null);
    this.#invited = kept(this.#local, this.#key("invited"));
    addEventListener("pagehide", () => keep(this.#session, this.#key("back"), this.#back));
    addEventListener("pageshow", ({ persisted }) => persisted && keep(this.#session, this.#key("back"), null));
    addEventListener("online", () => this.#wake?.abort());
    this.#invitedByLink();
    if (!navigator.locks && globalThis.BroadcastChannel) {
      this.#channel = new BroadcastChannel(this.#key("line"));
      this.#channel.addEventListener("message", ({ data }) => {
        if (data === "whose" && this.#place && this.#alone !== false) this.#channel.postMessage("mine");
        if (data === "mine" && this.#alone === null) this.#alone = false;
      });
    }
  }

  /** What the request for the sound says of itself. */
  query() {
    const token = this.#right();
    return token ? `t=${token}` : `n=${this.#mark}`;
  }

  get waits() {
    return Boolean(this.#going);
  }

  get holdsTicket() {
    return Boolean(this.#ticket);
  }

  get invited() {
    return Boolean(this.#invited);
  }

  /** Whether there is a line now: one small answer, and a place when there is one. */
  async look() {
    const kept = this.#storedPlace();
    const serving = await this.#serving();
    if (!serving || this.state !== "out") return;
    if (serving.mode !== "calm" || kept) this.pass();
  }

  /** Waits for the turn. True: ask for the sound now. False: given up, or the space is over. */
  pass() {
    this.#going ??= this.#wait().finally(() => { this.#going = null; });
    return this.#going;
  }

  /** The sound has begun. */
  inside() {
    this.#solved = null;
    this.#forget();
    this.line = null;
    this.closed = false;
    this.#to("in");
    this.#askBack(RESUME_MS + 2000 * Math.random(), 0);
  }

  /** The sound was stopped: its seat is free, and the ticket brings it back. */
  left() {
    clearTimeout(this.#renew);
    if (this.state === "in") this.#to("out");
  }

  /** Gives the place away. */
  leave() {
    this.#stop?.abort();
    this.#forget();
    this.#ticket = this.#solved = null;
    this.line = null;
    this.closed = false;
    this.#to("out");
  }

  /** Asks for a right to be first at the start. Throws an Error whose message can be shown. */
  async invite(call) {
    const { ticket } = await call("POST", `${this.#base}/rsvp`, {});
    if (!TOKEN.test(ticket)) throw new Error("The server gave no place.");
    this.#keepInvited(ticket);
  }

  #shut(closed) {
    if (this.closed === closed) return;
    this.closed = closed;
    if (closed) this.line = null;
    this.dispatchEvent(new Event("change"));
  }

  #key(what) {
    return `hustings-${what}-${this.#space}`;
  }

  #to(state) {
    const before = this.state;
    this.state = state;
    this.dispatchEvent(new Event("change"));
    if (state === "turn" && before !== "turn") this.dispatchEvent(new Event("turn"));
  }

  /** What is shown first: the seat that was ours, the ticket in hand, an invitation. */
  #right() {
    if (this.#back && this.#back.until < Date.now()) this.#back = null;
    if (this.#ticket && this.#ticket.until < Date.now()) this.#ticket = null;
    return this.#back?.token ?? this.#ticket?.token ?? this.#invited;
  }

  #drop(token) {
    if (this.#back?.token === token) this.#back = null;
    else if (this.#ticket?.token === token) this.#ticket = null;
    else if (this.#invited === token) this.#keepInvited(null);
    else if (this.#place?.token === token) this.#keepPlace(null);
    else this.#solved = null;
  }

  // ---- in line ------------------------------------------------------------------------------------------------------

  async #wait() {
    const stop = this.#stop = new AbortController();
    await this.#claim();
    for (let failed = 0; !stop.signal.aborted;) {
      const said = await this.#knock();
      if (stop.signal.aborted) break;
      if (said?.verdict) this.#shut(said.verdict === "turn_away" && said.reason === "closed");
      switch (said?.verdict) {
        case "enter":
          if (said.ticket) this.#ticket = { token: said.ticket, until: Date.now() + TICKET_MS };
          // Where there was no line and is none, nothing has changed.
          this.#to(this.#ticket || this.line ? "turn" : "out");
          return true;
        case "wait":
          failed = 0;
          this.#told(said);
          await this.#sleepUntilDue(said, stop.signal);
          break;
        case "gone":
          this.line = null;
          this.#to("out");
          this.dispatchEvent(new Event("gone"));
          return false;
        default:
          // Turned away: what was shown is dropped, and the next knock shows the next best. Or nobody answered.
          await this.#rest(Math.max(said?.retry_ms ?? 0, backoff(failed, 500, 30000)), stop.signal);
          failed += 1;
      }
    }
    return false;
  }

  async #knock() {
    const shown = this.#right() ?? (this.#solved && this.#solved.until > Date.now() ? this.#solved.puzzle : this.#place?.token);
    const body = { ask: "right" };
    if (shown) body.show = shown;
    if (shown && shown === this.#solved?.puzzle) body.solution = this.#solved.solution;
    const said = await this.#post(body);
    if (said?.verdict === "turn_away") this.#drop(shown);
    if (said?.verdict === "wait" && shown && shown === this.#solved?.puzzle) {
      // The lane of those who computed is full now: the place goes on waiting beside it. When to try again is the server's to say: it
      // remembers for some seconds only that somebody of this lane wants a seat.
      this.#solved = said.cause === "no_seat" ? { ...this.#solved, tried: true } : null;
      return this.#place && this.line ? { ...said, ...this.line, verdict: "wait", place: null, poll_ms: said.poll_ms } : said;
    }
    return said;
  }

  async #post(body) {
    try {
      const answer = await fetch(`${this.#base}/knock`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout?.(15000) });
      if (answer.status === 404 || answer.status === 410) return { verdict: "gone" };
      if (answer.ok) return await answer.json();
      return { retry_ms: (Number(answer.headers.get("retry-after")) || 0) * 1000 };
    } catch { return null; }
  }

  async #serving() {
    try {
      const answer = await fetch(`${this.#base}/serving.json`, { signal: AbortSignal.timeout?.(15000) });
      if (answer.status === 410) this.dispatchEvent(new Event("gone"));
      const serving = answer.ok ? await answer.json() : null;
      if (serving) this.message = String(serving.message ?? "");
      return serving;
    } catch { return null; }
  }

  #told(said) {
    const now = Date.now();
    if (said.place) this.#keepPlace({ token: said.place, since: this.#place?.since ?? now });
    const before = this.line;
    this.line = { ...before, position: said.position, ahead: said.ahead, wait: said.wait, cause: said.cause, since: this.#place?.since ?? before?.since ?? now, checked: now, from: Math.max(before?.from ?? 0, said.ahead), draw_at: said.draw_ms ? now + said.draw_ms : 0, full: said.wait || said.draw_ms ? false : before?.full ?? false };
    this.#to("wait");
    if (said.puzzle_offered) this.#effort();
  }

  /** Sleeps, looks, and sleeps again, until it is worth knocking. */
  async #sleepUntilDue(said, signal) {
    // The server spreads who comes back after a draw: looking sooner tells nothing.
    let pause = said.wait || said.draw_ms || !TO_COME.has(said.cause) ? said.poll_ms : Math.min(said.poll_ms, pollAfter(null, 0));
    // Nobody tells in a knock how the line moves. For a long wait one look more is worth it.
    if (pause > 4 * POLL_MIN && !said.draw_ms && TO_COME.has(said.cause) && await this.#isDue()) return;
    for (let looks = 1; ; looks += 1) {
      await this.#rest(pause, signal);
      if (signal.aborted || !TO_COME.has(said.cause)) return;
      // Just solved, and not yet shown.
      if (this.#solved && !this.#solved.tried) return;
      const due = await this.#isDue();
      if (due && this.#place) this.#solved = null;
      if (due || this.#solved) return;
      pause = due === null ? backoff(4, 2000, 30000) : pollAfter(this.line.wait, looks);
    }
  }

  /** Whether the turn has come, by serving.json; null when it could not be read. */
  async #isDue() {
    const serving = await this.#serving();
    if (!serving || !this.line) return serving ? true : null;
    const now = Date.now(), { line } = this;
    const drawn = line.draw_at && serving.draw_ms === undefined;
    const moved = line.called === undefined || serving.called > line.called;
    const calledAt = moved ? now : line.calledAt ?? now;
    const ahead = Math.max(0, line.position - serving.called);
    this.line = { ...line, called: serving.called, calledAt, pace: serving.pace, draw_at: serving.draw_ms === undefined ? 0 : now + serving.draw_ms, checked: now,
      ahead, wait: estimate(ahead, serving.pace), full: !serving.pace && serving.draw_ms === undefined && now - calledAt > FULL_MS };
    this.dispatchEvent(new Event("change"));
    return Boolean(serving.mode !== "storm" || serving.called >= line.position || drawn);
  }

  async #rest(ms, signal) {
    const wake = this.#wake = new AbortController();
    const stop = () => wake.abort();
    signal.addEventListener("abort", stop, { once: true });
    await sleep(ms, wake.signal);
    signal.removeEventListener("abort", stop);
  }

  // ---- by computing ---------------------------------------------------------------------------------------------------

  /** A short sum brings in those who will not wait; whoever does not compute waits in line all the same. */
  async #effort() {
    if (this.solving || this.#solved || this.#puzzles >= PUZZLES_MAX || !globalThis.Worker) return;
    this.#puzzles += 1;
    this.solving = true;
    const asked = await this.#post(this.#place ? { ask: "puzzle", show: this.#place.token } : { ask: "puzzle" });
    if (asked?.verdict === "prove" && this.state === "wait") {
      this.dispatchEvent(new Event("change"));
      const solution = await this.#solve(asked);
      if (solution && this.state === "wait") {
        this.#solved = { puzzle: asked.puzzle, solution, until: Date.now() + SOLVED_MS };
        this.#wake?.abort();
      }
    }
    this.solving = false;
    this.dispatchEvent(new Event("change"));
  }

  #solve({ puzzle, tries }) {
    return new Promise((done) => {
      const worker = new Worker(new URL("./worker-effort.js", import.meta.url), { type: "module" });
      const end = (solution) => { worker.terminate(); done(solution); };
      worker.addEventListener("message", ({ data }) => end(data));
      worker.addEventListener("error", () => end(null));
      this.#stop?.signal.addEventListener("abort", () => end(null), { once: true });
      worker.postMessage({ puzzle, tries });
    });
  }

  // ---- what is kept -----------------------------------------------------------------------------------------------------

  /** The right to come back, for who is inside; renewed while the sound flows. */
  #askBack(ms, failed) {
    clearTimeout(this.#renew);
    this.#renew = setTimeout(async () => {
      if (this.state !== "in") return;
      const shown = this.#right();
      const said = await this.#post(shown ? { ask: "resume", show: shown } : { ask: "resume", n: this.#mark });
      if (this.state !== "in") return;
      if (said?.verdict === "resume" && TOKEN.test(said.ticket)) {
        this.#back = { token: said.ticket, until: Date.now() + said.renew_ms * 2 };
        // Until here the seat was known by the ticket alone.
        this.#ticket = null;
        if (this.#invited) this.#keepInvited(null);
        this.#askBack(said.renew_ms * (0.8 + Math.random() * 0.2), 0);
      } else if (failed + 1 < RESUME_TRIES) this.#askBack(backoff(failed + 2, 3000, 60000), failed + 1);
    }, ms);
  }

  #invitedByLink() {
    const [, token] = /^#t=([\w-]{80})$/.exec(location.hash) ?? [];
    if (!token) return;
    this.#keepInvited(token);
    // Addresses are copied and sent on: this right is for one.
    history.replaceState(history.state, "", location.pathname + location.search);
  }

  #keepInvited(token) {
    this.#invited = token;
    keep(this.#local, this.#key("invited"), token);
  }

  #storedPlace() {
    return kept(this.#local, this.#key("line")) ?? kept(this.#session, this.#key("line"));
  }

  #keepPlace(place) {
    this.#place = place;
    keep(this.#alone === false ? this.#session : this.#local, this.#key("line"), place);
  }

  #forget() {
    if (this.#place) this.#keepPlace(null);
    this.#release?.();
    this.#release = null;
  }

  /** The place kept here may be in another tab's hands: then this one takes its own. */
  async #claim() {
    if (this.#place || this.#release) return;
    const shared = kept(this.#local, this.#key("line"));
    this.#alone = await (navigator.locks ? this.#locked() : this.#unclaimed(shared));
    const place = this.#alone ? shared : kept(this.#session, this.#key("line"));
    this.#place = TOKEN.test(place?.token) ? place : null;
  }

  /** True with the lock, which a tab that sleeps holds as well. */
  #locked() {
    return new Promise((done) => {
      const late = new AbortController();
      setTimeout(() => late.abort(), WHOSE_MS);
      const held = () => { done(true); return new Promise((release) => { this.#release = release; }); };
      navigator.locks.request(this.#key("line"), { signal: late.signal }, held).catch(() => done(false));
    });
  }

  /** Without TLS there are no locks: the other tab is asked. */
  async #unclaimed(shared) {
    this.#alone = null;
    if (shared && this.#channel) {
      this.#channel.postMessage("whose");
      await sleep(WHOSE_MS);
    }
    return this.#alone ?? true;
  }
}
