// Raise hand and speak, from the listener's own page. Only who has a hand raised talks to the stage listener.

import { $, banner, call, cry, data, el, say, text, toast } from "./util.js";

/** ms between two looks at what the host decided. */
const LOOK_MS = 3000;
/** ms that the stream has for its sound to come, while who leaves the stage still hears the others there. */
const BACK_MS = 3000;
const MARK = `hustings-hand-${data.space}`;
const NAME = "hustings-name";
const api = `${data.stage}/api/v1/spaces/${data.space}`;
const keep = (key, value) => { try { if (value === null) localStorage.removeItem(key); else localStorage.setItem(key, value); } catch { /* storage may be closed */ } };
const kept = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

/** Most never speak: this comes when a hand goes up, and is there when its owner is called. */
const stage = () => import("./speak.js");

let one = null;

export const hands = (player, before) => {
  one = before ?? one ?? new Part(player);
  one.bind();
  return one;
};

class Part {
  #player;
  #up = false;
  #called = false;
  #speaker = null;
  #deck = null;
  #timer = 0;
  #resume = false;
  #phase = "";

  constructor(player) {
    this.#player = player;
    if (kept(MARK)) this.#look();
  }

  bind() {
    if (!$("part")) return;
    $("part").hidden = !data.stage;
    $("hand").addEventListener("click", () => (this.#up || this.#called ? this.#lower() : this.#ask()));
    this.#show();
  }

  title() {
    return this.#called && !this.#speaker ? "You are called" : null;
  }

  /** On stage: the stage's own sound is heard instead of the stream. */
  speaking() {
    return this.#speaker?.seated ?? false;
  }

  roster(roster) {
    this.#phase = roster.phase;
    this.#speaker?.told({ live: roster.phase === "live", mutedByHost: this.#speaker.byHost });
  }

  leave() {
    clearTimeout(this.#timer);
    this.#resume = false;
    this.#speaker?.leave();
    keep(MARK, null);
    this.#up = this.#called = false;
    banner("called", null);
  }

  #ask() {
    const name = el("input", { id: "hand-name", maxlength: 40, required: true, autocomplete: "name", value: kept(NAME) ?? "" });
    const question = el("input", { id: "hand-question", maxlength: 200, autocomplete: "off" });
    const wrong = el("p", { class: "small tell", role: "alert" });
    const box = el("dialog", { "aria-labelledby": "hand-h" },
      el("form", { method: "dialog", onsubmit: async (event) => {
        event.preventDefault();
        keep(NAME, name.value.trim());
        try {
          this.#take(await call("POST", `${api}/hands`, { name: name.value.trim(), question: question.value.trim() }));
          keep(MARK, "up");
          box.close();
          say("Your hand is raised. The host sees it.");
        } catch (error) { text(wrong, error.message); }
      } },
      el("h2", { id: "hand-h" }, "Raise hand"),
      el("label", { class: "stacked" }, "Your name", el("small", {}, "Everybody sees it when you are called."), el("span", { class: "field" }, name)),
      el("label", { class: "stacked" }, "What it is about", el("small", {}, "Only the hosts see it. You may leave it empty."), el("span", { class: "field" }, question)),
      wrong,
      el("div", { class: "btns" }, el("button", { class: "btn main", type: "submit" }, "Raise hand"), el("button", { class: "btn", type: "button", onclick: () => box.close() }, "Not now"))));
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
    name.focus();
  }

  /** The hand goes down, the call is given back, or the stage is left. */
  async #lower() {
    if (this.#speaker?.state === "leaving") return;
    const called = this.#called;
    try {
      await this.#speaker?.part(this.#back());
      // No hand is up any more: that was wished.
      await call("DELETE", `${api}/hands`).catch((error) => { if (error.status !== 409) throw error; });
      keep(MARK, null);
      this.#take({ hand: null, may_speak: false, accepted: false }, true);
      say(called ? "You go on listening." : "Your hand is down.");
    } catch (error) { toast(error.message); }
  }

  /** The stream again. Done when it plays, when there is a line before it, and at the latest after `BACK_MS`. */
  #back() {
    if (!this.#resume) return null;
    this.#resume = false;
    return new Promise((done) => {
      const look = () => {
        if (this.#player.state === "starting" || this.#player.state === "finding") return;
        clearTimeout(timer);
        this.#player.removeEventListener("state", look);
        done();
      };
      const timer = setTimeout(done, BACK_MS);
      this.#player.addEventListener("state", look);
      this.#player.start();
      look();
    });
  }

  async #look() {
    clearTimeout(this.#timer);
    try { this.#take(await call("GET", `${api}/me`)); } catch { this.#again(); }
  }

  #again() {
    clearTimeout(this.#timer);
    if (this.#up || this.#called || this.#speaker) this.#timer = setTimeout(() => this.#look(), LOOK_MS * (0.8 + Math.random() * 0.4));
  }

  #take(me, own = false) {
    const may = Boolean(me.may_speak && me.accepted);
    const was = this.#called, hadUp = this.#up;
    this.#up = Boolean(me.hand);
    this.#called = may;
    if (this.#up || may) stage().catch(() => { /* asked for again by the press */ });
    else keep(MARK, null);
    if (may && !was) cry("You are called to the stage. Nobody hears you until you press the button.");
    if (hadUp && !this.#up && !may && !own) toast("The host has lowered your hand. You can raise it again.");
    if (was && !may) {
      banner("called", null);
      if (this.#speaker) { this.#speaker.leave(); toast("The host has ended your turn on stage. You go on listening."); }
    }
    this.#speaker?.told({ live: this.#phase !== "open", mutedByHost: Boolean(me.muted_by_host) });
    this.#show();
    this.#again();
  }

  #show() {
    const button = $("hand");
    if (button) {
      const up = this.#up || this.#called;
      button.setAttribute("aria-pressed", String(up));
      button.classList.toggle("main", !up);
      text(button.querySelector("span"), this.#called ? "Leave the stage" : this.#up ? "Lower hand" : "Raise hand");
      text($("hand-says"), this.#called ? "You are called to the stage. Your microphone is below."
        : this.#up ? "Your hand is raised. When the host calls you, this page tells you. Keep it open."
          : "To be called you need a microphone. Nobody hears you until the host accepts and you press the button yourself.");
    }
    banner("called", this.#called && !this.#speaker ? {
      kind: "wait", icon: "mic", label: "You are called", head: "You are called to the stage.", more: "Nobody hears you until you press the button.",
      actions: [["Open my microphone", () => this.#speak(), true], ["Not now", () => this.#lower()]],
    } : null);
  }

  async #speak() {
    const { Speaker } = await stage().catch(() => ({}));
    if (!Speaker) return toast("The server does not answer now. Try again in a moment.");
    if (!this.#called || this.#speaker) return;
    const speaker = this.#deck ?? this.#prepare(new Speaker(data.space, data.stage));
    this.#speaker = speaker;
    speaker.live = this.#phase !== "open";
    $("deck").hidden = false;
    $("deck-does").replaceChildren(el("button", { class: "btn", type: "button", onclick: () => this.#lower() }, "Leave the stage"));
    speaker.join();
    this.#show();
  }

  #prepare(speaker) {
    this.#deck = speaker;
    // The stream stops when the stage's own sound comes, not before, so that nothing is missed; and when he is on air, for
    // nobody is to hear himself late.
    const quiet = () => { if (this.#player.wanted && this.#speaker?.state !== "leaving") { this.#resume = true; this.#player.stop(); } };
    speaker.addEventListener("flows", quiet);
    speaker.addEventListener("change", () => { if (!speaker.muted) quiet(); });
    speaker.addEventListener("left", () => {
      $("deck").hidden = true;
      this.#speaker = null;
      this.#back();
      this.#show();
    });
    return speaker;
  }
}
