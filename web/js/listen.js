// The page of a space. What the server wrote stays the truth: when the phase changes, the main part is fetched anew and put in place.

import { $, artwork, backoff, banner, call, data, el, icon, number, plural, say, sleep, text, toast } from "./util.js";
import { localise, moment } from "./times.js";
import { Door } from "./door.js";
import { Player } from "./player.js";
import { show, latest, message } from "./roster.js";
import { hands } from "./hand.js";
import { reactions, shown as reacted } from "./react.js";

const base = `/s/${data.space}`;
const title = data.title;
const audio = el("audio", { preload: "none" });
audio.controls = false;
document.body.append(audio);
const door = new Door(base, data.space);
const player = new Player(audio, base, door, data.hold);
/** Set from a press on "Play it when it starts" to the start of the sound. */
let armed = false;
/** Set when the turn has come and the browser wants a press. */
let asks = false;
/** ms. A press so soon after the sound began by itself was meant to begin it. */
const MEANT_MS = 700;
let byItself = 0;
/** ms between two looks at state.json, when events do not come. */
const POLL_MS = 5000;
let part = null;

const phase = () => $("view")?.dataset.phase ?? "";
const running = () => phase() === "open" || phase() === "live";

// ---- the Listen button -------------------------------------------------------------------------------------------

let button = null;
/** The view of the line, fetched by who comes into one: most never see it. */
let line = null;
const lineView = async () => {
  try {
    const { LineView } = await import("./line.js");
    line ??= new LineView(door, { press: () => press(), leave: () => giveAway(), title });
  } catch { return; /* the next change asks again */ }
  render();
  headline();
};
const face = (kind, name, words, symbol) => {
  if (!button) return;
  button.className = `listen ${kind}`;
  text(button.querySelector("b"), name);
  text(button.querySelector("small"), words);
  if (button.dataset.icon !== symbol) {
    button.dataset.icon = symbol;
    button.querySelector(".eye").replaceChildren(icon(symbol));
  }
};

const takeButton = () => {
  const there = $("listen");
  if (!there) { button = null; return; }
  if (there.localName === "button") button = there;
  else {
    button = el("button", { class: "listen", id: "listen", type: "button" }, ...there.childNodes);
    there.replaceWith(button);
  }
  button.dataset.ready = button.querySelector("b").textContent;
  button.dataset.small = button.querySelector("small").textContent;
  button.dataset.icon = "";
  button.hidden = false;
  button.addEventListener("click", press);
};

const press = () => {
  if (part?.speaking()) return;
  asks = false;
  if (player.wanted && Date.now() - byItself < MEANT_MS) return;
  if (player.wanted || armed) { armed = false; player.stop(); return render(); }
  if (running()) player.start();
  else { armed = true; player.arm(); }
  render();
};

/** Without a press no sound may begin in most browsers. Then the place is kept, and the page says so. */
const onTurn = async () => {
  if (player.wanted || !running()) return;
  asks = !await player.may();
  if (!asks && !player.wanted && door.state === "turn") { byItself = Date.now(); player.start(); }
  render();
  headline();
};
const giveAway = () => {
  asks = false;
  player.stop();
  door.leave();
  toast("Your place goes to the next. You can come again at any time.");
};
door.addEventListener("turn", onTurn);
door.addEventListener("gone", () => look());
/** Where an operator has dropped the door there is no line: the page says so, and goes on asking. */
const shut = () => banner("door", door.closed ? { kind: "wait", icon: "wait", head: "The door is closed.", more: "Nobody new comes in for now. Who is inside hears on. This page looks again by itself." } : null);
door.addEventListener("change", () => { if (door.line || door.closed) message(door.message); if (door.line && !line) lineView(); shut(); render(); headline(); watch(); });

let retryAt = 0;
const render = () => {
  line?.render({ pressed: player.wanted, asks });
  if (!button) return;
  const music = latest()?.music || phase() === "open";
  const behind = player.behind();
  if (part?.speaking()) return face("playing quiet", "You are on stage", "You hear the others as they speak.", "mic");
  switch (player.state) {
    case "armed": return face("waiting", "It starts by itself", "Keep this page open. Press to take it back.", "wait");
    case "line":
    case "starting": if (door.closed) return face("waiting", "The door is closed", "This page asks again by itself. Press to stop that.", "wait"); return face("waiting", "Starting", "The sound is on its way.", "wait");
    case "playing":
      return music && phase() === "open"
        ? face("playing quiet", "Hold music", `${startWords()} If you hear this, your sound works. Press to pause.`, "pause")
        : face(music ? "playing quiet" : "playing", music ? "Hold music" : "You are listening", `${behind === null ? "" : `${behind.toFixed(1)} s behind the stage. `}Press to pause.`, "pause");
    case "finding": return face("waiting", "Finding the sound again", "Nothing to press.", "wait");
    case "offline": return face("waiting", "You are offline", `We try again by ourselves${retryWords()}.`, "wait");
    case "blocked": return face("", "Your browser wants one press", "It starts no sound by itself. Press here.", "play");
    case "unplayable": return face("", "This browser does not play this stream", "Other ways to hear stand on this page.", "soundoff");
    default: return face("", button.dataset.ready, button.dataset.small, phase() === "posted" ? "sound" : "play");
  }
};
const startWords = () => {
  const at = Number($("view").dataset.starts);
  if (!at) return "It starts in this player.";
  return at > Date.now() ? `It starts at ${moment(at, "clock")} in this player.` : `Not started yet. It was planned for ${moment(at, "clock")}.`;
};
const retryWords = () => {
  const s = Math.ceil((retryAt - Date.now()) / 1000);
  return s > 0 ? `, next in ${plural(s, "second")}` : "";
};

player.addEventListener("state", ({ detail }) => {
  if (detail.retryIn) retryAt = Date.now() + detail.retryIn;
  if (detail.state === "playing") { armed = asks = false; say("You are listening."); }
  // Refused where it seemed to be allowed: the seat is free again, and the press brings it back.
  if (detail.state === "blocked" && door.line) asks = true;
  banner("net", detail.state === "finding" ? { kind: "wait", icon: "wait", head: "Finding the sound again.", more: "Your connection dropped. Nothing to press." }
    : detail.state === "offline" ? { kind: "wait", icon: "wait", head: "You are offline.", more: "We try again by ourselves." } : null);
  if ($("sound")) $("sound").hidden = !player.wanted;
  if ("mediaSession" in navigator) navigator.mediaSession.playbackState = player.wanted ? "playing" : "paused";
  render();
  headline();
  watch();
});
player.addEventListener("roster", ({ detail }) => take(detail));
player.addEventListener("gone", () => look());

// ---- the roster, from the sound or from the side --------------------------------------------------------------------

const take = (roster) => {
  if (roster?.id && roster.id !== data.space) return;
  const level = show(roster, player.wanted);
  if (button && player.state === "playing") button.querySelector(".eye").style.setProperty("--level", matchMedia("(prefers-reduced-motion: reduce)").matches ? 0.4 : level / 9);
  part?.roster(roster);
  reacted(roster);
  if (roster.startsAt && $("view")) $("view").dataset.starts = roster.startsAt;
  const now = roster.phase === "ended" && roster.replay ? "replay" : roster.phase;
  if (now && now !== phase()) change(now);
  headline();
};

let changing = false;
const change = async (to) => {
  if (changing) return;
  changing = true;
  try {
    // All hear of it in the same moment: they do not all ask in the same moment.
    await sleep(Math.random() * (player.wanted ? 1500 : 800));
    const answer = await fetch(location.pathname, { cache: "no-cache" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const view = fresh.getElementById("view");
    if (!view || view.dataset.phase === phase()) return;
    const focused = $("view").contains(document.activeElement) ? document.activeElement.id : "";
    $("view").replaceWith(document.adoptNode(view));
    bind();
    if (focused) ($(focused) ?? $("main")).focus({ preventScroll: true });
    const words = { open: "The doors are open.", live: "It is live now.", ended: "It has ended.", replay: "The recording is here.", cancelled: "It was cancelled by the host." };
    say(words[phase()] ?? "");
  } catch { /* the next word of the roster brings it again */ } finally {
    changing = false;
  }
  if (!running()) { if (player.wanted) player.stop(); door.leave(); } else if (armed) player.start();
  if (phase() === "cancelled" || phase() === "ended") armed = false;
  if (latest()) take(latest());
};

let events = null, polling = null;
/** Seconds between two looks that the server asks for while events are shed; 0 when they are not. */
let shed = 0;
/** Who plays has the roster in the sound. Who does not, has it from events, and when these are full from state.json. */
const watch = () => {
  // In line the page sleeps: whoever waits asks for nothing but how far the line is.
  const over = phase() === "cancelled" || phase() === "replay" || door.waits;
  const inside = player.wanted && player.state === "playing" && player.behind() !== null;
  if (over || inside || document.hidden) {
    events?.close();
    events = null;
    polling?.abort();
    polling = null;
    banner("shed", null);
    return;
  }
  if (events || polling) return;
  if (!globalThis.EventSource || shed) return poll();
  events = new EventSource(`${base}/events`);
  events.onmessage = ({ data: json }) => { if (!(player.wanted && player.behind() !== null)) try { take(JSON.parse(json)); } catch { /* half a message */ } };
  events.onerror = () => {
    events?.close();
    events = null;
    poll();
  };
};

const poll = async () => {
  const mine = new AbortController();
  polling = mine;
  for (let attempt = 0; !mine.signal.aborted; attempt += 1) {
    const before = shed;
    await look();
    // What was shed is back: looks are spread already, so that not all ask for events at once.
    if (before && !shed && !mine.signal.aborted) { banner("shed", null); mine.abort(); polling = null; return watch(); }
    banner("shed", shed && !mine.signal.aborted ? { icon: "info", head: "", more: `Names and hands are updated every ${plural(shed, "second")} for now, so that the sound has room.` } : null);
    await sleep((shed * 1000 || POLL_MS) * (0.8 + Math.random() * 0.4), mine.signal);
    // Now and then it is worth asking for events again, but not while they are shed.
    if (attempt >= 6 && !shed && !mine.signal.aborted) { mine.abort(); polling = null; return watch(); }
  }
};

const look = async () => {
  try {
    const answer = await fetch(`${base}/state.json`);
    if (!answer.ok) return;
    const state = await answer.json();
    shed = Math.min(60, Number(state.poll_s) || 0);
    take(state);
  } catch { /* asked again */ }
};

// ---- countdown, title, small things ------------------------------------------------------------------------------------

let spoken = "";
const countdown = () => {
  const clock = $("clock");
  const starts = Number($("view")?.dataset.starts);
  if (!clock || !starts) return;
  const left = Math.max(0, starts - Date.now());
  if (left === 0) {
    const wait = $("wait");
    if (wait && !wait.dataset.late) { wait.dataset.late = "yes"; wait.replaceChildren(el("p", {}, el("b", {}, "Not started yet. "), `It was planned for ${moment(starts, "when")}.`)); }
    return;
  }
  const s = Math.ceil(left / 1000);
  const parts = s > 3600 ? [[Math.floor(s / 86400), "day"], [Math.floor(s / 3600) % 24, "hour"], [Math.floor(s / 60) % 60, "minute"]] : [[Math.floor(s / 60), "minute"], [s % 60, "second"]];
  while (parts.length > 2 && !parts[0][0]) parts.shift();
  if (clock.childElementCount !== parts.length) clock.replaceChildren(...parts.map(() => el("div", {}, el("span", { class: "figure" }), el("small"))));
  parts.forEach(([value, unit], i) => {
    text(clock.children[i].firstChild, String(value));
    text(clock.children[i].lastChild, value === 1 ? unit : `${unit}s`);
  });
  clock.setAttribute("aria-label", `Starts in ${parts.map(([v, u]) => plural(v, u)).join(" ")}`);
  const words = s === 600 ? "It starts in 10 minutes." : s === 60 ? "It starts in 1 minute." : "";
  if (words && words !== spoken) { spoken = words; say(words); }
};

const headline = () => {
  const starts = Number($("view")?.dataset.starts);
  const roster = latest();
  const state = part?.title() ?? line?.headline(asks) ?? (door.closed ? "Closed" : null)
    ?? (player.state === "finding" || player.state === "offline" ? "Finding the sound"
      : player.state === "blocked" ? "Press to hear"
        : phase() === "live" ? (roster?.hostLost ? "Hold on" : "Live")
          : phase() === "open" ? (starts && starts < Date.now() ? "Not started yet" : "Doors open")
            : phase() === "posted" ? (starts ? (starts < Date.now() ? "Not started yet" : `Starts ${new Intl.DateTimeFormat("en-GB", { weekday: "long" }).format(starts)} ${moment(starts, "clock")}`) : "Posted")
              : phase() === "replay" ? "Replay" : phase() === "ended" ? "Ended" : "Cancelled");
  const whole = `${state}: ${title}`;
  if (document.title !== whole) document.title = whole;
};

const bind = () => {
  localise($("view"));
  if (phase() === "replay") { button = null; player.stop(); import("./replay.js").then(({ replay }) => replay(audio, title)); }
  else takeButton();
  for (const copy of document.querySelectorAll("[data-do=copy]")) {
    copy.hidden = !navigator.clipboard;
    copy.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(`${location.origin}${base}`); toast("The link is copied."); } catch { toast("The browser did not allow it. The link stands in the address bar."); }
    });
  }
  $("volume")?.addEventListener("input", ({ target }) => { audio.volume = Number(target.value) / 100; });
  if ($("volume")) $("volume").value = audio.volume * 100;
  if ($("sound")) $("sound").hidden = !player.wanted;
  reactions(base);
  part = running() ? hands(player, part) : (part?.leave(), null);
  keepPlace();
  render();
  countdown();
  headline();
  // Events wait until it is known whether there is a line: a crowd at the door must not ask for both.
  if (running() && !door.waits && door.state === "out") door.look().finally(watch); else watch();
};

/** A right to be first at the start, before it starts. */
const keepPlace = () => {
  const ask = $("rsvp");
  if (!ask) return;
  const shown = () => {
    ask.hidden = door.invited;
    $("rsvp-kept").hidden = !door.invited;
  };
  ask.addEventListener("click", async () => {
    try {
      await door.invite(call);
      say("A place is kept for you.");
    } catch (error) { toast(error.message); }
    shown();
    if (door.invited) $("rsvp-kept").focus();
  });
  shown();
};

if ("mediaSession" in navigator && phase() !== "replay") {
  navigator.mediaSession.metadata = new MediaMetadata({ title, artist: "Hustings", artwork: artwork() });
  const handlers = { play: () => { if (!player.wanted && running()) player.start(); }, pause: () => player.stop(), stop: () => player.stop() };
  for (const [name, does] of Object.entries(handlers)) try { navigator.mediaSession.setActionHandler(name, does); } catch { /* not every browser knows each */ }
}
setInterval(() => { countdown(); render(); headline(); }, 500);
document.addEventListener("visibilitychange", watch);
bind();
// For tests and for the curious: the player's own figures.
globalThis.hustings = { player, door, audio, latest, number, backoff };
