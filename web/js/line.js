// The waiting in line, as it is seen and heard by screen readers. What is true stands in the door; here are its words.

import { $, cry, el, icon, number, plural, say, text } from "./util.js";
import { moment } from "./times.js";

/** ms between two words to screen readers about the wait, at least. */
const SAY_MS = 60000;
const SVG = "http://www.w3.org/2000/svg";
const draw = (name, given) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, value);
  return made;
};

const minutes = (s) => Math.max(1, Math.round(s / 60));
/** "About 5 minutes, between 4 and 8." Never one number alone. */
export const waitWords = ({ wait, cause, ahead, draw_at: drawn }) => {
  if (cause === "node_full") return ["This server carries no more people at this moment.", " Your place is kept."];
  if (cause === "prefix_share") return ["Many people listen from your network already, and others come first.", " Your place is kept."];
  if (cause === "no_seat" || (wait && wait.high_s < 5) || (!ahead && wait)) return ["You are next.", " The next seat that comes free is yours."];
  if (drawn > Date.now()) return ["Everybody who comes in the first seconds does.", " Coming earlier than others wins nothing."];
  if (!wait) return ["People are entering slowly now, and we cannot say how long it takes.", " Your place is kept."];
  if (wait.high_s < 60) return ["Less than ", "a minute", "."];
  const [low, high] = [minutes(wait.low_s), minutes(wait.high_s)];
  const about = Math.max(low, Math.min(high, minutes((wait.low_s + wait.high_s) / 2)));
  return ["About ", plural(about, "minute"), low === high ? `, up to ${high + 1}.` : `, between ${low} and ${high}.`];
};

/** Heights that look like people and are always the same. */
const tall = (i) => 20 + ((i * i * 5 + i * 3) % 11) * 0.9;
/** Those who came in, you, those before you, and the door: decor, whose proportions are true. */
const queue = (share, ahead) => {
  const at = 60 + Math.round(share * 400);
  const all = [];
  for (let x = 4, i = 0; x < at - 10; x += 6.3, i += 1) all.push(draw("rect", { class: "gone", x, y: 62 - tall(i), width: 3.4, height: tall(i) }));
  all.push(draw("rect", { class: "you", x: at, y: 14, width: 6, height: 48 }), draw("circle", { class: "ring", cx: at + 3, cy: 7, r: 5 }));
  const before = Math.min(ahead, Math.floor((506 - at) / 7));
  const step = before > 1 ? Math.min(12, (506 - at - 15) / before) : 12;
  for (let i = 0; i < before; i += 1) all.push(draw("rect", { class: "them", x: at + 15 + i * step, y: 62 - tall(i + 3), width: 3.4, height: tall(i + 3) }));
  all.push(draw("rect", { class: "base", x: 0, y: 62, width: 600, height: 4 }), draw("path", { class: "base", d: "M536 62V14h48v48h-5V19h-38v43z" }));
  return all;
};

const fact = (name, words) => el("li", {}, icon(name), el("span", {}, words));

export class LineView {
  #door;
  #press;
  #leave;
  #title;
  #record;
  #said = { at: -Infinity, about: null, turn: false };

  /** `press` arms the sound, `leave` gives the place away. */
  constructor(door, { press, leave, title }) {
    this.#door = door;
    this.#press = press;
    this.#leave = leave;
    this.#title = title;
  }

  get shown() {
    return Boolean($("line"));
  }

  /** `pressed`: sound begins by itself; `asks`: the turn has come and the browser wants a press. */
  render({ pressed, asks }) {
    const { line, state } = this.#door;
    const inLine = Boolean(line) && (state === "wait" || state === "turn") && $("view");
    if (!inLine) return this.#hide();
    if (!$("line")) this.#show();
    const turn = state === "turn";
    const kept = $("line");
    kept.dataset.state = turn ? "turn" : line.full ? "full" : line.wait ? "wait" : "unknown";
    text($("line-h"), turn ? (asks ? "Your turn. Press to hear." : "Your turn. The sound starts now.") : line.full ? "This space is full." : "You are in line. This page lets you in.");
    $("line-why").hidden = turn || line.full;
    $("line-full").hidden = turn || !line.full;
    this.#ticket(line, turn);
    this.#effort(turn);
    this.#button(pressed, asks, turn);
    this.#speak(line, turn, asks);
  }

  /** The state in the tab's title, or null. */
  headline(asks) {
    const { line, state } = this.#door;
    if (!line || !this.shown) return null;
    if (state === "turn") return "Your turn";
    if (line.full) return "Full";
    return line.wait && line.position ? `You are in line, place ${number(line.position + 1)}` : asks ? "Your turn" : "You are in line";
  }

  #show() {
    const view = $("view");
    this.#record = view.dataset.record === "true";
    const cite = el("cite", {}, this.#title);
    const box = el("div", { class: "stack loose near", id: "line" },
      el("div", { class: "stack tight" },
        el("h1", { id: "line-h" }),
        el("p", { class: "stand", id: "line-why" }, "More people want to hear ", cite, " than come in now."),
        el("p", { class: "stand", id: "line-full", hidden: true }, "No seats come free at the moment. Your place is kept.", this.#record ? " The recording will be under this link." : "")),
      el("section", { class: "ticket", "aria-label": "Your place in line" },
        el("div", { class: "stub" }, el("p", { class: "small" }, "Your place"), el("p", { class: "figure", id: "line-place" }), el("p", { class: "small how", id: "line-how" })),
        el("div", {}, el("p", { id: "line-wait" }), draw("svg", { class: "queue", id: "line-queue", viewBox: "0 0 600 68", "aria-hidden": "true", focusable: "false" }), el("p", { class: "tiny soft", id: "line-now" }))),
      el("p", { class: "small", id: "line-effort", hidden: true }, el("b", {}, "Your device is doing a short sum, usually under 3 seconds."), " It is not needed: waiting gets you in as well."),
      el("button", { class: "listen", id: "arm", type: "button", onclick: () => this.#press() }, el("span", { class: "eye" }), el("span", {}, el("b"), el("small"))),
      el("div", { class: "cols even" },
        el("section", { class: "stack", "aria-labelledby": "line-self" }, el("h2", { id: "line-self" }, "What happens by itself"),
          el("ul", { class: "facts" },
            fact("sound", "On your turn the sound starts on this page. The press above is what your browser asks for."),
            fact("phone", "Keep this page open. If you leave it, your place waits for you."),
            fact("wait", "Reloading wins nothing and loses nothing. If your connection drops, your place is kept."))),
        el("section", { class: "stack", "aria-labelledby": "line-else" }, el("h2", { id: "line-else" }, "If you cannot wait"),
          el("ul", { class: "plain small" },
            this.#record ? el("li", {}, el("span", { class: "grow" }, "The recording will be under this same link")) : null,
            el("li", {}, el("button", { class: "aslink", id: "line-leave", type: "button", onclick: () => this.#leave() }, "Give my place to the next"))),
          el("p", { class: "small soft" }, "The line is the same for everybody: no account, no payment and no faster browser moves you forward."))));
    for (const other of view.querySelectorAll(":scope > :not(.rail), .rail .now small")) other.hidden = true;
    view.querySelector(".rail .now")?.append(el("small", { id: "line-rail" }, "you are in line"));
    view.append(box);
  }

  #hide() {
    if (!this.shown) return;
    const focused = $("line").contains(document.activeElement);
    $("line").remove();
    $("line-rail")?.remove();
    for (const other of $("view").querySelectorAll(":scope > *, .rail .now small")) other.hidden = false;
    this.#said = { at: -Infinity, about: null, turn: false };
    if (focused) ($("listen") ?? $("main")).focus({ preventScroll: true });
  }

  #ticket(line, turn) {
    // No place says anything before the draw.
    const drawing = !turn && line.draw_at > Date.now();
    text($("line-place"), drawing ? "–" : number(line.position + 1));
    text($("line-how"), drawing ? "Places are drawn by lot." : `You came at ${moment(line.since, "clock")}. Places go by arrival.`);
    const first = turn ? "It is your turn." : drawing ? "You take part in the draw." : line.ahead ? `${number(line.ahead)} ${line.ahead === 1 ? "person is" : "people are"} ahead of you.` : "Nobody is ahead of you.";
    const rest = turn ? ["Your place is kept."] : waitWords(line);
    const words = first + rest.join("");
    if ($("line-wait").dataset.words !== words) {
      $("line-wait").dataset.words = words;
      const strong = rest.length === 3;
      $("line-wait").replaceChildren(el("b", {}, first), el("br"), rest[0], strong ? el("b", {}, rest[1]) : rest.slice(1).join(""), strong ? rest[2] : "");
    }
    const share = line.from ? 1 - line.ahead / line.from : 1;
    const drawn = `${Math.round(share * 100)} ${Math.min(line.ahead, 80)}`;
    if ($("line-queue").dataset.drawn !== drawn) {
      $("line-queue").dataset.drawn = drawn;
      $("line-queue").replaceChildren(...queue(turn ? 1 : share, turn ? 0 : line.ahead));
    }
    const pace = line.pace ? (line.pace[0] + line.pace[1]) * 30 : 0;
    text($("line-now"), [line.called === undefined ? "" : `Now entering: ${number(line.called + 1)}`, pace >= 1 ? `${number(Math.round(pace))} a minute` : "", `checked ${seen(Date.now() - line.checked)}`].filter(Boolean).join(" · "));
  }

  #effort(turn) {
    $("line-effort").hidden = turn || !this.#door.solving;
  }

  #button(pressed, asks, turn) {
    const button = $("arm");
    const [kind, name, words, symbol] = asks ? ["", "Press to hear", "Your place is kept; press when you are ready.", "play"]
      : turn ? ["waiting", "The sound starts now", "Nothing to press.", "wait"]
        : pressed ? ["waiting", "It starts by itself", "If you hear quiet music, your sound works. Press for silence.", "music"]
          : ["", "Sound on my turn", "Press once. Quiet music until then.", "sound"];
    button.className = `listen ${kind}`;
    text(button.querySelector("b"), name);
    text(button.querySelector("small"), words);
    if (button.dataset.icon !== symbol) { button.dataset.icon = symbol; button.querySelector(".eye").replaceChildren(icon(symbol)); }
  }

  /** Heard when the wait changes by a minute, and once a minute at most. The turn is told at once, and once. */
  #speak(line, turn, asks) {
    const said = this.#said;
    if (turn) {
      if (!said.turn || said.asks !== asks) cry(asks ? "Your turn. Press to hear. Your place is kept." : "Your turn. The sound starts now.");
      this.#said = { ...said, turn: true, asks };
      return;
    }
    const about = line.full ? "full" : line.wait ? minutes((line.wait.low_s + line.wait.high_s) / 2) : "unknown";
    if (about === said.about || performance.now() - said.at < SAY_MS) return;
    this.#said = { at: performance.now(), about, turn: false };
    const words = line.full ? "This space is full. Your place is kept." : `${number(line.ahead)} ${line.ahead === 1 ? "person is" : "people are"} ahead of you. ${waitWords(line).join("")}`;
    say(said.about === null ? `You are in line. This page lets you in. ${words}` : words);
  }
}

const seen = (ms) => (ms < 60000 ? `${Math.max(0, Math.round(ms / 1000))} s ago` : `${Math.round(ms / 60000)} min ago`);
