// /studio/{id}: run the stage. The server's view (Studio) is drawn as it comes; nothing is assumed to have happened.

import { $, ago, banner, call, cry, data, el, icon, number, plural, say, text, toast, typing } from "./util.js";
import { moment } from "./times.js";
import { Speaker } from "./speak.js";
import { checkPanel, drawLive, drawMusic, invitePanel, livePanel, musicPanel } from "./check.js";
import { drawHands, drawStage, endSpace, quality } from "./plates.js";
import { cancel, edit } from "./draft.js";
import { inWords } from "./react.js";

const api = `/api/v1/spaces/${data.space}`;
const view = $("view");
/** ms without a word from the server, which speaks every 2 s, before the connection is told as lost. */
const QUIET_MS = 6000;
/** "Meant to be silent" lasts this long (ms). */
const HUSH_MS = 120000;
/** New hands are told in batches (ms). */
const HANDS_MS = 10000;
const KEYS_OFF = "hustings-keys-off";

let speaker = null;
let studio = null;
let events = null;
let heard = 0;
let silentSince = 0;
let newHands = 0, handsTold = 0;
let drawnFor = "";

// ---- coming in ---------------------------------------------------------------------------------------------------

const start = async () => {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  // Out of the address bar and the history before anything else can see it.
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  try {
    if (token) await call("POST", `/studio/${data.space}/enter`, { token });
    else {
      const me = await call("GET", `${api}/me`);
      if (me.banned) return over("banned");
      if (me.role && !me.may_speak && !me.operator) return signIn("You have no place on this stage any more. Ask the host for a link.");
      if (!me.role && !me.operator) {
        const node = await call("GET", "/api/v1/me");
        if (!node.role) return signIn("");
        await call("POST", `/studio/${data.space}/enter`, {});
      }
    }
    take(await call("GET", `${api}/studio.json`));
    follow();
  } catch (error) { signIn(error.status === 404 ? "There is no space under this link." : error.message); }
};

const signIn = (why) => {
  const input = el("input", { autocomplete: "off", spellcheck: "false", required: true });
  const wrong = el("p", { class: "small tell", role: "alert" }, why);
  drawnFor = "";
  $("deck").hidden = true;
  $("sign-out").hidden = $("keys").hidden = true;
  view.replaceChildren(el("div", { class: "sect stack" }, el("h1", {}, "Studio"),
    el("p", { class: "stand" }, "This page opens with an invitation link. Paste yours here, or ask the host for one."),
    el("form", { class: "form", onsubmit: async (event) => {
      event.preventDefault();
      try { await call("POST", `/studio/${data.space}/enter`, { token: input.value.trim().replace(/^.*#token=/, "") }); start(); } catch (error) { text(wrong, error.message); }
    } }, el("label", { class: "stacked" }, "Invitation link or token", el("span", { class: "field" }, input)), wrong,
    el("div", { class: "btns" }, el("button", { class: "btn main", type: "submit" }, "Come in"), el("a", { class: "btn", href: `${data.public}/s/${data.space}` }, "Listen instead")))));
};

const follow = () => {
  events?.close();
  events = new EventSource(`${api}/studio-events`);
  events.addEventListener("studio", ({ data: json }) => { heard = Date.now(); try { take(JSON.parse(json)); } catch { /* half a message: the next one is whole */ } });
  events.addEventListener("over", ({ data: json }) => { let why = ""; try { why = JSON.parse(json).why; } catch { /* no reason was given */ } over(why); });
  events.onerror = async () => {
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(async () => {
      try { take(await call("GET", `${api}/studio.json`)); follow(); } catch (error) { if (error.status === 401 || error.status === 403) over(); else events.onerror(); }
    }, 500 + Math.random() * 2000);
  };
};

/** Why somebody may no longer see the studio: what is, and what goes on. */
const OVER = {
  removed: ["The host has ended your turn on stage.", "You can go on listening."],
  banned: ["The host has ended your turn on stage.", "The hosts keep you off the stage from now on. You can go on listening."],
  revoked: ["Your link was revoked by the host.", "It lets nobody in any more. You can go on listening, or ask the host for another."],
};

const over = (why) => {
  const [head, more] = OVER[why] ?? OVER.removed;
  events?.close();
  speaker?.leave();
  $("deck").hidden = true;
  drawnFor = "";
  for (const key of ["dead", "server", "disk", "mic"]) banner(key, null);
  view.replaceChildren(el("div", { class: "sect stack" }, el("h1", {}, head),
    el("p", { class: "stand" }, more), el("p", {}, el("a", { class: "btn main", href: `${data.public}/s/${data.space}` }, icon("play"), "Listen"))));
  cry(`${head} ${more}`);
};

// ---- drawing -------------------------------------------------------------------------------------------------------

const isHost = () => studio.me.operator || studio.me.role === "host" || studio.me.role === "co-host";
const finished = () => studio.space.phase === "ended" || studio.space.phase === "cancelled";

/** The page's sections are made once for what this person may do; later only their words change. */
const build = () => {
  const { me, space } = studio;
  const host = isHost();
  const key = [host, Boolean(me.person), finished() && space.phase].join();
  if (key === drawnFor) return;
  drawnFor = key;
  $("sign-out").hidden = $("keys").hidden = false;
  const may = Boolean(me.person) && !finished();
  $("deck").hidden = !may;
  if (may && !speaker) {
    speaker = new Speaker(data.space);
    speaker.keys = !keysOff();
    speaker.running = space.phase !== "posted";
    speaker.addEventListener("change", () => draw());
  }
  if (finished()) { speaker?.leave(); return view.replaceChildren(rail(), ...after()); }
  const stage = el("section", { class: "stage", "aria-labelledby": "st" },
    el("div", { class: "head" }, el("h2", { id: "st", tabindex: -1 }, "On stage"), el("span", { class: "soft", id: "places" }), host ? el("div", { class: "btns" },
      el("button", { class: "btn slim", type: "button", id: "lock", "aria-pressed": "false", onclick: () => post("lock", { locked: !studio.space.stage_locked }) }, icon("lock"), el("span", {}, "Lock stage")),
      el("button", { class: "btn slim", type: "button", onclick: () => { $("in").scrollIntoView({ block: "center" }); $("inv-name").focus(); } }, icon("link"), "Invite")) : null),
    el("ul", { class: "plates", id: "plates" }), el("div", { class: "plank" }), el("p", { class: "small soft", id: "nobody" }, "Nobody is on stage yet."),
    el("p", { class: "small", id: "reacted", hidden: true }, el("b", {}), el("span", { class: "soft" }, " pressed in the last 10 seconds")));
  const hands = el("section", { class: "stage hands", "aria-labelledby": "ha" }, el("div", { class: "head" }, el("h2", { id: "ha", tabindex: -1 }, "Hands"), el("span", { class: "soft", id: "hand-count" })),
    el("ol", { class: "plates", id: "hand-list" }), el("div", { class: "plank" }), el("p", { class: "small soft", id: "no-hands" }, "Listeners raise a hand on their own page."), el("p", { class: "small soft", id: "more-hands" }));
  const check = may ? checkPanel(api, speaker, me) : el("section", { class: "panel stack" }, el("h2", {}, "You run this as operator"),
    el("p", { class: "small soft" }, "To speak you need a place of your own on the stage."), el("div", { class: "btns" }, el("button", { class: "btn main", type: "button", onclick: becomeHost }, icon("mic"), "Take a host’s place")));
  view.replaceChildren(rail(), el("div", { class: "stack loose" },
    el("div", { class: "head" }, el("h1", { class: "evening", id: "h1" }, space.title), el("div", { class: "state" },
      el("details", { class: "def" }, el("summary", {}, el("bdi", { class: "n", id: "count" }), " listening"), el("p", {}, data.listening)),
      el("details", { class: "def", id: "in-line", hidden: true }, el("summary", {}, el("bdi", { class: "n", id: "waiting" }), " waiting"), el("p", {}, data.waiting)),
      el("span", { id: "arrives" }), el("a", { class: "small", href: space.page }, "The public page"), host ? el("button", { class: "btn slim", type: "button", onclick: () => edit(studio.space, () => {}) }, "Change…") : null)),
    el("div", { class: "cols", id: "before" }, check, host ? livePanel(api) : el("section", { class: "stack", id: "go-live" }, el("h2", {}, "What happens next"), el("p", {}, "The host goes live. Then you are heard as soon as you unmute."))),
    el("div", { class: "cols" }, stage, el("div", { class: "stack loose" }, hands)),
    host ? el("div", { class: "cols", id: "tools" }, invitePanel(api), el("div", { class: "stack loose" }, musicPanel(api), el("section", { class: "stack tight", id: "quit", "aria-labelledby": "qu" }, el("h2", { id: "qu" }, "Not taking place?"),
      el("div", { class: "btns" }, el("button", { class: "btn stop", type: "button", onclick: () => cancel(studio.space, () => {}) }, "Cancel the space…"))))) : null));
};

const rail = () => el("ol", { class: "rail", id: "rail", "aria-label": "Where this space stands" }, ["Check", "Doors", "On air", "End"].map((name) => el("li", {}, el("b", {}, name), el("small"))));

const drawRail = () => {
  const { space } = studio;
  const at = { posted: 0, open: 1, live: 2 }[space.phase] ?? 3;
  const words = [
    at ? (speaker?.seated ? "passed" : "below") : "now",
    space.opened_at ? moment(space.opened_at, "near") : space.starts_at ? "before the start" : "no time yet",
    space.phase === "live" ? ago(studio.now - space.live_at) : space.live_at ? moment(space.live_at, "near") : space.starts_at ? moment(space.starts_at, "near") : "when you say",
    space.ended_at ? moment(space.ended_at, "near") : "you decide",
  ];
  [...$("rail").children].forEach((li, i) => {
    li.className = i < at ? "done" : i === at ? (space.phase === "live" ? "now lit" : "now") : "";
    if (i === at) li.setAttribute("aria-current", "step"); else li.removeAttribute("aria-current");
    text(li.lastChild, words[i]);
  });
};

const after = () => {
  const { space } = studio;
  const cancelled = space.phase === "cancelled";
  return [el("div", { class: "stack loose" }, el("h1", { id: "h1" }, space.title),
    el("p", { class: "stand" }, cancelled ? `Cancelled. ${space.cancel_reason}` : `It ended${space.ended_at ? ` on ${moment(space.ended_at, "when")}` : ""}. ${plural(space.peak, "listener")} at the peak.`),
    cancelled ? null : el("p", { class: "soft" }, space.recording && !space.recording.deleted ? "The recording is under the same link." : space.record && !space.recording ? "The recording will be under the same link in a moment." : "There is no recording."),
    el("div", { class: "btns" }, el("a", { class: "btn main", href: space.page }, "The public page"), el("a", { class: "btn", href: "/studio" }, "All spaces")))];
};

const take = (next) => {
  const before = studio;
  studio = next;
  if (before && before.space.phase !== next.space.phase) say({ open: "The doors are open.", live: "You are live.", ended: "It has ended.", cancelled: "It is cancelled." }[next.space.phase] ?? "");
  // Counted from the server's clock: the reader's may be wrong.
  build();
  draw();
};

const draw = () => {
  if (!studio) return;
  const { space, me, state } = studio;
  const host = isHost();
  document.title = `${title()}: ${space.title}`;
  if (!$("rail")) return;
  drawRail();
  if (finished()) { banner("dead", null); return; }
  speaker?.told({ live: space.phase === "live", mutedByHost: me.muted_by_host, running: space.phase !== "posted" });
  text($("h1"), space.title);
  text($("count"), number(space.listening));
  $("in-line").hidden = !space.waiting;
  text($("waiting"), number(space.waiting));
  const own = studio.people.find((one) => one.person === me.person);
  text($("arrives"), speaker?.state === "connected" ? `You: ${quality(own?.quality) || "connected"}` : speaker?.state === "lost" ? "You: connection lost, coming back" : "");
  drawStage(api, studio, host);
  const reacted = space.phase === "live" ? inWords(state?.reactions) : "";
  $("reacted").hidden = !reacted;
  text($("reacted").firstChild, reacted);
  newHands += drawHands(api, studio, host);
  if (newHands && Date.now() - handsTold > HANDS_MS) { handsTold = Date.now(); say(plural(newHands, "new hand")); newHands = 0; }
  if (host) {
    drawMusic(studio);
    const lock = $("lock");
    lock.setAttribute("aria-pressed", String(space.stage_locked));
    text(lock.querySelector("span"), space.stage_locked ? "Stage is locked" : "Lock stage");
    if ($("behind")) drawLive(studio);
    $("quit").hidden = space.phase === "live";
  }
  // Live, the stage is what matters: the check comes when it is asked for.
  $("go-live").hidden = space.phase === "live";
  // Who comes while it is live checks the microphone first, too: nobody goes on air unheard.
  const checked = !speaker || speaker.seated;
  if ($("check")) $("check").hidden = space.phase === "live" && checked && !$("check").dataset.open;
  $("before").hidden = [...$("before").children].every((one) => one.hidden);
  deck(host);
  deadAir(state, host);
  banner("disk", studio.recording_trouble ? { kind: "wait", icon: "alert", head: "The recording cannot be written now.", more: `The live sound goes on. ${studio.recording_trouble}` } : null);
};

const title = () => {
  const { space } = studio;
  if (silentSince) return `Silent for ${seconds()} s`;
  if (speaker?.byHost) return "Muted by the host";
  return space.phase === "live" ? (speaker?.seated ? (speaker.muted ? "You are muted" : "On air") : "Studio, live") : "Studio";
};

const deck = (host) => {
  const live = studio.space.phase === "live";
  const key = [live, host, speaker?.seated].join();
  const box = $("deck-does");
  if (!speaker || box.dataset.shown === key) return;
  box.dataset.shown = key;
  box.replaceChildren(...[
    live ? el("button", { class: "btn", type: "button", onclick: () => { const panel = $("check"); panel.dataset.open = panel.dataset.open ? "" : "yes"; draw(); if (!panel.hidden) panel.scrollIntoView({ block: "center" }); } }, "Check") : null,
    speaker.seated ? el("button", { class: "btn", type: "button", onclick: () => speaker.leave() }, "Leave") : null,
    live && host ? el("button", { class: "btn stop", type: "button", onclick: () => endSpace(api, studio.space.listening) }, "End…") : null,
  ].filter(Boolean));
};

/** The alarm comes after 10 s of silence. */
const seconds = () => Math.round((Date.now() - silentSince) / 1000) + 10;

const deadAir = (state, host) => {
  if (!state?.deadAir || studio.space.phase !== "live") { silentSince = 0; return banner("dead", null); }
  const first = !silentSince;
  silentSince ||= Date.now();
  const open = (state.people ?? []).filter((one) => !one.muted && !one.lost);
  const zeros = open.find((one) => one.reason === "microphone-silent");
  const why = zeros ? `The microphone of ${zeros.name || "a speaker"} is open but sends nothing.`
    : !state.people?.length ? "Nobody is on stage." : state.people.every((one) => one.muted || one.lost) ? (state.people.some((one) => one.lost) ? "Connections are lost, and the rest is muted." : "Everybody is muted.") : "";
  const head = `Nobody has been heard for ${seconds()} seconds.`;
  banner("dead", { kind: "trouble", icon: "soundoff", label: "Dead air", head, more: `${number(studio.space.listening)} ${studio.space.listening === 1 ? "person hears" : "people hear"} silence. ${why}`,
    actions: host ? [["Play hold music", () => post("music", { on: true }), true], ["Meant to be silent", () => post("hush", { millis: HUSH_MS })]] : [] });
  if (first || seconds() % 10 === 0) cry(`${head} ${why}`);
};

const post = async (path, body) => { try { await call("POST", `${api}/${path}`, body); } catch (error) { toast(error.message); } };

const becomeHost = async () => {
  try {
    const invite = await call("POST", `${api}/invites`, { role: "host", name: "Host" });
    await call("POST", `/studio/${data.space}/enter`, { token: invite.token });
    take(await call("GET", `${api}/studio.json`));
    follow();
  } catch (error) { toast(error.message); }
};

// ---- keys -------------------------------------------------------------------------------------------------------------

const keysOff = () => { try { return localStorage.getItem(KEYS_OFF) === "yes"; } catch { return false; } };

const showKeys = () => {
  const off = el("input", { type: "checkbox", ...(keysOff() ? {} : { checked: true }), onchange: () => {
    try { localStorage.setItem(KEYS_OFF, off.checked ? "no" : "yes"); } catch { /* then for this visit only */ }
    if (speaker) { speaker.keys = off.checked; speaker.show(); }
  } });
  const rows = [["M", "Mute or unmute"], ["Space", "Hold to talk, when no button has the focus"], ["A", "Accept the first hand"], ["H", "Go to the hands"], ["S", "Go to the stage"], ["?", "This list"]];
  const box = el("dialog", { "aria-labelledby": "keys-h" }, el("h2", { id: "keys-h" }, "Keys"), el("dl", { class: "keys" }, rows.flatMap(([key, does]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, does)])),
    el("label", { class: "tick" }, off, "Single keys work on this page"), el("div", { class: "btns" }, el("button", { class: "btn", type: "button", autofocus: true, onclick: () => box.close() }, "Close")));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
};

addEventListener("keydown", (event) => {
  if (keysOff() || event.ctrlKey || event.altKey || event.metaKey || event.repeat || typing(event.target) || document.querySelector("dialog[open]")) return;
  const does = { a: () => document.querySelector("[data-accept]")?.click(), h: () => $("ha")?.focus(), s: () => $("st")?.focus(), "?": showKeys }[event.key.toLowerCase()];
  does?.();
});
$("keys").addEventListener("click", showKeys);
$("sign-out").addEventListener("click", async () => {
  speaker?.leave();
  events?.close();
  try { await call("DELETE", `/studio/${data.space}/enter`); await call("DELETE", "/studio/enter"); } catch { /* the cookies may be gone already */ }
  location.href = "/studio";
});

setInterval(() => {
  if (heard && Date.now() - heard > QUIET_MS && !finished()) banner("server", { kind: "wait", icon: "wait", head: "The studio has lost the server.", more: "It comes back by itself. What you see may be old." });
  else banner("server", null);
  if (silentSince) draw();
}, 1000);
start();
globalThis.hustings = { get studio() { return studio; }, get speaker() { return speaker; } };
