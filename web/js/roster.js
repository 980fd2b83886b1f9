// What the roster says, on the page: name plates with their lamps, counts, and banners.

import { $, banner, el, number, plural, say, text } from "./util.js";

/** A word of state must not flicker between two syllables: ms that "Speaking" stays. */
const HOLD_MS = 900;
const spoke = new Map();

export const stateOf = (person, now = performance.now()) => {
  if (person.lost) return { kind: "lost", lamp: "lost", word: "Connection lost, seat is kept" };
  if (person.muted) return { kind: "muted", lamp: "off", word: person.reason === "muted-by-host" ? "Muted by the host" : "Muted" };
  if (person.level > 1) spoke.set(person.id, now);
  const lit = now - (spoke.get(person.id) ?? -Infinity) < HOLD_MS;
  if (lit) return { kind: "speaking", lamp: `on l${Math.min(9, Math.max(1, person.level))}`, word: "Speaking" };
  if (person.reason === "microphone-silent") return { kind: "open silent", lamp: "open", word: "Open, but sends nothing" };
  return { kind: "open", lamp: "open", word: "Microphone open" };
};

const ROLES = { host: "Host", "co-host": "Co-host" };
const withRole = (role, word) => (ROLES[role] ? `${ROLES[role]} · ${word[0].toLowerCase()}${word.slice(1)}` : word);
const set = (node, name) => { if (node.className !== name) node.className = name; };

/** Plates keep their order: who talks does not move anybody. */
const plates = (list, people) => {
  const known = new Map([...list.children].map((item) => [item.dataset.person, item]));
  const items = people.map((person) => {
    const id = String(person.id);
    const item = known.get(id) ?? el("li", { "data-person": id }, el("span", { "aria-hidden": "true" }), el("span", { class: "who" }, el("b", {}, el("bdi")), el("small")));
    const [lamp, who] = item.children;
    const { kind, lamp: shape, word } = stateOf(person);
    set(item, `plate ${kind}`);
    set(lamp, `lamp ${shape}`);
    text(who.querySelector("b bdi") ?? who.querySelector("b"), person.name || "Speaker");
    text(who.querySelector("small"), kind === "speaking" ? word : withRole(person.role, word));
    return item;
  });
  if (items.length !== list.children.length || items.some((item, i) => list.children[i] !== item)) list.replaceChildren(...items);
  for (const id of spoke.keys()) if (!people.some((person) => String(person.id) === id)) spoke.delete(id);
};

let shown = null;

/** Gives the loudest level, for the ring of the Listen button. */
export const show = (roster, playing) => {
  if (!roster || typeof roster !== "object" || !Array.isArray(roster.people)) return 0;
  const list = $("plates");
  const running = roster.phase === "open" || roster.phase === "live";
  if (list && running) {
    plates(list, roster.people);
    text($("places"), String(roster.people.length));
    text($("hands"), roster.hands ? ` · ${plural(roster.hands, "hand")}` : "");
    if ($("nobody")) $("nobody").hidden = roster.people.length > 0;
  }
  text($("count"), number(roster.listening));
  const recorded = $("recorded");
  if (recorded && roster.phase === "live") text(recorded, roster.recording ? "This is being recorded" : "Not recorded");
  banners(roster, playing);
  shown = roster;
  return roster.music ? 0 : Math.max(0, ...roster.people.map((person) => (person.muted || person.lost ? 0 : person.level || 0)));
};

let told = "";
/** What the operator tells everybody, from the roster or, while in line, from serving.json. */
export const message = (words = "") => {
  banner("message", words ? { icon: "info", label: "Message", head: "From the operator.", more: words } : null);
  if (words && words !== told) say(`From the operator: ${words}`);
  told = words;
};

const banners = (roster, playing) => {
  const live = roster.phase === "live";
  message(roster.message);
  banner("host", live && roster.hostLost ? {
    kind: "wait", icon: "wait", label: "Host lost", head: "The host has lost the connection.",
    more: playing ? "Stay here: the sound continues by itself. Until then you hear hold music." : "The sound continues by itself when the host is back.",
  } : null);
  banner("music", live && roster.music && !roster.hostLost ? { icon: "music", head: "Hold music.", more: "It plays until somebody speaks. Nothing to press." } : null);
  banner("dead", live && roster.deadAir && !roster.hostLost && !roster.music ? { icon: "soundoff", head: "The stage is silent.", more: playing ? "Your sound is fine." : "" } : null);
};

export const latest = () => shown;
