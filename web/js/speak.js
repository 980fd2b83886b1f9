// The microphone's deck: open, muted, on air, unheard, in another tab. The same for the studio and for a listener who is called.

import { $, backoff, banner, call, cry, icon, sleep, text, toast, typing } from "./util.js";
import { Mic, levelWords } from "./mic.js";
import { Whip } from "./whip.js";

/** Speech for this long (ms) while muted is told, and told again after the second. */
const UNHEARD_MS = 500, UNHEARD_AGAIN_MS = 10000;
const TALK_LEVEL = 0.5;
const touch = matchMedia("(hover: none) and (pointer: coarse)");

/**
 * Before the doors open there is no stage to connect to: then the microphone is open for its meter alone ("waiting"),
 * and the seat is taken when the stage runs.
 * Events: change (something that pages show), flows (the others are heard), left.
 */
export class Speaker extends EventTarget {
  mic = new Mic();
  /** closed, opening, waiting, connecting, connected, lost, leaving, elsewhere */
  state = "closed";
  muted = true;
  byHost = false;
  live = false;
  /** Doors are open or more. */
  running = true;
  keys = true;
  #space;
  #stage;
  #whip = null;
  #others = null;
  #release = null;
  #channel;
  #talking = 0;
  #told = 0;
  #holding = false;
  #unheard = false;
  /** Muted or not, as the server is to be told; null when it knows. */
  #wish = null;
  #telling = false;

  constructor(space, stage = "") {
    super();
    this.#space = space;
    this.#stage = stage;
    this.#channel = globalThis.BroadcastChannel ? new BroadcastChannel(`hustings-${space}`) : null;
    this.#channel?.addEventListener("message", ({ data }) => { if (data === "yield" && this.#release) this.leave("elsewhere"); });
    this.mic.addEventListener("level", ({ detail }) => this.#level(detail));
    this.mic.addEventListener("gone", () => this.#lostDevice());
    $("mic").addEventListener("click", () => this.press());
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    addEventListener("blur", () => { if (this.#holding) { this.#holding = false; this.mute(true); } });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.dispatchEvent(new Event("change")));
    this.show();
  }

  get seated() {
    return this.state === "connected" || this.state === "lost";
  }

  /** Opens the microphone, then takes the seat, muted. */
  async join(device) {
    if (!(await this.#mine(false))) { this.#to("elsewhere"); return; }
    this.#to("opening");
    try {
      await this.mic.open(device);
      banner("mic", null);
    } catch (error) {
      const [head, more] = error.words ?? ["The microphone could not be opened.", error.message];
      banner("mic", { kind: "trouble", icon: "micoff", label: "Microphone", head, more });
      cry(`${head} ${more}`);
      this.#let();
      this.#to("closed");
      return;
    }
    this.mic.track.enabled = false;
    this.muted = true;
    if (this.running) this.#connect(); else this.#to("waiting");
  }

  #connect() {
    const whip = new Whip(this.#stage, this.#space, this.mic.track);
    this.#whip = whip;
    whip.addEventListener("sound", ({ detail }) => this.#hear(detail));
    whip.addEventListener("flows", () => this.dispatchEvent(new Event("flows")));
    whip.addEventListener("state", ({ detail }) => {
      if (whip !== this.#whip) return;
      if (detail === "connected") this.#tell(this.muted);
      if (detail === "refused") {
        const reason = whip.reason;
        this.leave();
        toast(reason);
      } else if (detail !== "closed" && this.state !== "leaving") this.#to(detail);
    });
    this.#to("connecting");
    whip.open();
  }

  /** Muted from now on, and hears the others until `ready`; then leaves. */
  async part(ready) {
    if (!this.seated) return this.leave();
    this.mute(true);
    this.#to("leaving");
    await ready;
    if (this.state === "leaving") this.leave();
  }

  leave(state = "closed") {
    this.#whip?.close();
    this.#whip = null;
    this.mic.close();
    this.#others?.remove();
    this.#others = null;
    this.muted = true;
    this.#let();
    this.#to(state);
    this.dispatchEvent(new Event("left"));
  }

  async device(id) {
    const before = this.mic.track;
    try {
      await this.mic.open(id);
      this.mic.track.enabled = !this.muted;
      await this.#whip?.replace(this.mic.track);
      banner("mic", null);
    } catch (error) {
      const [head, more] = error.words ?? [error.message, ""];
      banner("mic", { kind: before ? "wait" : "trouble", icon: "micoff", head, more });
    }
    this.show();
  }

  async press() {
    if (this.state === "closed") return this.join();
    if (this.state === "elsewhere") {
      this.#channel?.postMessage("yield");
      if (await this.#mine(true)) return this.join();
      return;
    }
    if (this.seated && !this.byHost) this.mute(!this.muted);
  }

  mute(muted) {
    if (!this.mic.track || this.muted === muted || (this.byHost && !muted)) return;
    this.muted = muted;
    this.mic.track.enabled = !muted;
    this.#tell(muted);
    this.show();
    this.dispatchEvent(new Event("change"));
  }

  /** What the server says about this person. */
  told({ live, mutedByHost, running = true }) {
    this.live = live;
    this.running = running;
    if (running && this.state === "waiting") this.#connect();
    if (mutedByHost && !this.byHost) {
      this.muted = true;
      if (this.mic.track) this.mic.track.enabled = false;
      cry("Muted by the host. You can talk again when the host allows it.");
    }
    this.byHost = mutedByHost;
    this.show();
  }

  /** One at a time, and the last wish wins: requests of several connections would overtake each other. */
  async #tell(wish) {
    this.#wish = wish;
    if (this.#telling) return;
    this.#telling = true;
    for (let failed = 0; this.#wish !== null;) {
      const muted = this.#wish;
      this.#wish = null;
      try {
        await call("POST", `${this.#stage}/api/v1/spaces/${this.#space}/people/me/${muted ? "mute" : "unmute"}`);
        failed = 0;
      } catch (error) {
        // Silence needs nobody's leave; to be heard does.
        if (!muted && error.status >= 400 && error.problem?.type?.includes("muted-by-host")) this.told({ live: this.live, mutedByHost: true });
        // As long as it could not be told, the page says what is not so.
        if (this.seated && (error.status < 400 || error.status === 429 || error.status >= 500)) {
          await sleep(backoff(failed, 500, 5000));
          failed += 1;
          this.#wish ??= muted;
        }
      }
    }
    this.#telling = false;
  }

  /** One tab speaks. The lock goes with the tab. */
  #mine(wait) {
    if (!navigator.locks) return Promise.resolve(true);
    if (this.#release) return Promise.resolve(true);
    return new Promise((done) => {
      const options = wait ? { signal: AbortSignal.timeout?.(3000) } : { ifAvailable: true };
      navigator.locks.request(`hustings-speak-${this.#space}`, options, (lock) => {
        if (!lock) { done(false); return undefined; }
        done(true);
        return new Promise((release) => { this.#release = release; });
      }).catch(() => done(false));
    });
  }

  #let() {
    this.#release?.();
    this.#release = null;
  }

  #to(state) {
    if (this.state === state) return;
    this.state = state;
    this.show();
    this.dispatchEvent(new Event("change"));
  }

  #hear(stream) {
    this.#others?.remove();
    const audio = document.createElement("audio");
    audio.autoplay = true;
    audio.srcObject = stream;
    this.#others = audio;
    document.body.append(audio);
    audio.play().catch(() => toast("Press anywhere to hear the others."));
    addEventListener("click", () => audio.paused && audio.play().catch(() => {}), { once: true });
  }

  #lostDevice() {
    banner("mic", { kind: "trouble", icon: "micoff", head: "No microphone was found.", more: "Plug one in or choose another; you keep your seat." });
    const back = async () => {
      if (!(await this.mic.devices()).length || !this.#whip) return;
      navigator.mediaDevices.removeEventListener("devicechange", back);
      this.device();
    };
    navigator.mediaDevices.addEventListener("devicechange", back);
  }

  #level(level) {
    const bar = $("bar");
    bar.style.setProperty("--level", level.toFixed(2));
    $("meter").classList.toggle("hot", level > 0.85);
    const words = levelWords(level);
    bar.setAttribute("aria-valuenow", Math.round(level * 100));
    bar.setAttribute("aria-valuetext", words);
    const now = performance.now();
    if (this.muted && this.seated && level > TALK_LEVEL) this.#talking ||= now;
    else if (level < TALK_LEVEL - 0.1 || !this.muted) this.#talking = 0;
    const unheard = this.muted && this.#talking > 0 && now - this.#talking > UNHEARD_MS;
    if (unheard) {
      if (now - this.#told > UNHEARD_AGAIN_MS) {
        this.#told = now;
        cry("");
        setTimeout(() => cry(this.byHost ? "You talk, but the host has muted you." : "You talk, but you are muted."), 50);
      }
      this.#unheard = true;
    } else if (this.#unheard && now - this.#told > 2500) this.#unheard = false;
    if (!this.muted) this.#unheard = false;
    this.show();
  }

  #key(event, down) {
    if (!this.keys || event.ctrlKey || event.altKey || event.metaKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key.toLowerCase() === "m" && down && !event.repeat && this.seated) this.press();
    if (event.key === " " && this.seated && !this.byHost) {
      const free = event.target === document.body || event.target.id === "main";
      if (down && !event.repeat && free && this.muted) { this.#holding = true; this.mute(false); }
      if (!down && this.#holding) { this.#holding = false; this.mute(true); }
      if (free) event.preventDefault();
    }
  }

  show() {
    const button = $("mic");
    // Who has no keyboard at hand needs no letter.
    const keys = this.keys && !touch.matches;
    const M = keys ? " (M)" : "";
    const [kind, symbol, state, does, dead] = this.state === "closed" ? ["", "mic", "Open your microphone", "The browser asks you once. You begin muted.", false]
      : this.state === "elsewhere" ? ["", "micoff", "You speak in another tab", "Press to speak here instead.", false]
        : this.state === "opening" ? ["", "mic", "Waiting for the browser", "Allow the microphone to go on.", true]
          : this.state === "waiting" ? ["", "micoff", "Your microphone is ready", "You take your place, muted, when the doors open.", true]
          : this.state === "leaving" ? ["", "micoff", "Leaving the stage", "Nothing to press.", true]
          : this.state === "connecting" ? ["", "micoff", "Connecting to the stage", "Nothing to press.", true]
            : this.state === "lost" ? ["", "micoff", "Finding the stage again", "Your seat is kept. Nothing to press.", true]
              : this.byHost ? ["", "micoff", "Muted by the host", "You can talk again when the host allows it.", true]
                : this.muted && this.#unheard ? ["unheard", "micoff", "You talk, but you are muted", `Press to be heard${M}`, false]
                  : this.muted ? ["", "micoff", "You are muted", `Press to talk${M}${keys ? ", or hold Space" : ""}`, false]
                    : this.live ? ["air", "mic", "You are on air", `Press to mute${M}`, false]
                      : ["air", "mic", "Your microphone is open", `Only the stage's sound check hears you. Press to mute${M}`, false];
    const name = `mic ${kind}`.trim();
    if (button.className !== name) button.className = name;
    button.disabled = dead;
    button.setAttribute("aria-pressed", String(this.muted));
    if (button.dataset.icon !== symbol) {
      button.dataset.icon = symbol;
      button.querySelector("svg").replaceWith(icon(symbol));
    }
    text($("mic-state"), state);
    text($("mic-does"), does);
  }
}
