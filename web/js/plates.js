// The stage and the hands as a host sees them: plates with what can be done.

import { $, ago, ask, call, el, number, text, toast } from "./util.js";
import { stateOf } from "./roster.js";

/** Hands shown at once; the longest waits come first. */
const HANDS_SHOWN = 8;
/** The order of plates; it does not change by who talks. */
const RANK = ["host", "co-host", "speaker", "listener"];

export const quality = (q) => {
  if (!q) return "";
  if (q.loss > 0.1 || q.rtt_ms > 800 || q.jitter_ms > 150) return "poor connection";
  if (q.loss > 0.03 || q.rtt_ms > 350 || q.jitter_ms > 60) return "weak connection, the sound is mended";
  return "good connection";
};

const does = (promise, words) => promise.then(() => words && toast(words), (error) => toast(error.message));
const named = (person) => person.name || "this speaker";

/** Buttons keep their place and their focus: a plate is made once and its words are changed. */
const keep = (list, items, key, make, update) => {
  const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const rows = items.map((item) => {
    const row = known.get(key(item)) ?? Object.assign(make(item), {});
    row.dataset.key = key(item);
    update(row, item);
    return row;
  });
  if (rows.length !== list.children.length || rows.some((row, i) => list.children[i] !== row)) list.replaceChildren(...rows);
};

export const drawStage = (api, studio, host) => {
  const live = studio.space.phase === "live" || studio.space.phase === "open";
  const levels = new Map((studio.state?.people ?? []).map((one) => [String(one.id), one]));
  const people = studio.people.filter((one) => !one.banned && one.role !== "listener" || one.accepted || one.seat !== "none").filter((one) => !one.banned && (one.seat !== "none" || one.accepted))
    .sort((a, b) => RANK.indexOf(a.role) - RANK.indexOf(b.role));
  text($("places"), `${people.filter((one) => one.seat !== "none").length} of 13 places`);
  $("nobody").hidden = people.length > 0;
  keep($("plates"), people, (one) => one.person, () => el("li", { class: "plate" },
    el("span", { class: "lamp", "aria-hidden": "true" }), el("span", { class: "who" }, el("b", {}, el("bdi")), el("small")), el("span", { class: "btns" })), (row, one) => {
    const seen = levels.get(one.person);
    const given = { id: one.person, level: seen?.level ?? 0, muted: one.muted || one.muted_by_host, lost: one.seat === "lost", reason: one.muted_by_host ? "muted-by-host" : seen?.reason };
    const state = one.seat === "none" ? { kind: "", lamp: "", word: "Called, not here yet" } : stateOf(given);
    const me = one.person === studio.me.person;
    row.className = `plate ${state.kind}`;
    row.firstChild.className = `lamp ${state.lamp}`;
    const [b, small] = row.querySelector(".who").children;
    text(b.firstChild, one.name || "No name yet");
    const role = one.role === "host" ? "host" : one.role === "co-host" ? "co-host" : "";
    const word = state.word === "Muted" && !me ? "Muted, by own choice" : state.word;
    const first = [me ? "You" : "", role].filter(Boolean).join(" · ");
    text(small, [state.kind === "speaking" && !me ? word : first ? `${first[0].toUpperCase()}${first.slice(1)} · ${word[0].toLowerCase()}${word.slice(1)}` : word, live && one.seat === "taken" && !me ? quality(one.quality) : ""].filter(Boolean).join(" · "));
    actions(row.lastChild, api, one, me, host);
  });
};

const ACTIONS = { allow: "Allow to talk", mute: "Mute", rename: "Rename", remove: "Remove" };
const actions = (box, api, one, me, host) => {
  const wanted = host && !me ? ["rename", "remove"] : [];
  if (wanted.length && one.muted_by_host) wanted.push("allow");
  else if (wanted.length && one.seat === "taken" && !one.muted) wanted.push("mute");
  if (wanted.length && (!box.firstChild || box.dataset.name !== one.name)) {
    box.dataset.name = one.name;
    const url = `${api}/people/${one.person}`;
    const run = {
      mute: () => does(call("POST", `${url}/mute`)),
      allow: () => does(call("POST", `${url}/allow`)),
      rename: () => rename(url, one),
      remove: () => remove(url, one),
    };
    box.replaceChildren(...Object.entries(ACTIONS).map(([name, words]) => el("button", { class: `btn slim ${name === "remove" || name === "rename" ? "bare" : ""}`, type: "button", "data-action": name, onclick: run[name] }, words, el("span", { class: "vh" }, ` ${named(one)}`))));
  }
  // Shown and hidden, never put in anew: a press that lasts while another button comes would be lost.
  for (const button of box.children) button.hidden = !wanted.includes(button.dataset.action);
  const held = document.activeElement;
  if (held.hidden && box.contains(held)) box.querySelector("button:not([hidden])")?.focus();
};

const rename = (url, one) => {
  const input = el("input", { maxlength: 40, required: true, value: one.name });
  const box = el("dialog", { "aria-labelledby": "name-h" }, el("form", { method: "dialog", onsubmit: async (event) => {
    event.preventDefault();
    try { await call("PATCH", url, { name: input.value.trim() }); box.close(); } catch (error) { toast(error.message); }
  } }, el("h2", { id: "name-h" }, "Change the name"), el("label", { class: "stacked" }, "Name on the plate", el("span", { class: "field" }, input)),
  el("div", { class: "btns" }, el("button", { class: "btn main", type: "submit" }, "Save"), el("button", { class: "btn", type: "button", onclick: () => box.close() }, "Leave it"))));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
};

const remove = (url, one) => {
  const run = (what) => async () => { box.close(); does(call("POST", `${url}/${what}`)); };
  const box = el("dialog", { "aria-labelledby": "rem-h" }, el("h2", { id: "rem-h" }, `Remove ${named(one)}?`),
    el("p", {}, "Removing ends the turn on stage; the person goes on listening. Banning keeps the person off this stage for good."),
    el("div", { class: "btns" }, el("button", { class: "btn", type: "button", autofocus: true, onclick: () => box.close() }, "No"),
      el("button", { class: "btn stop", type: "button", onclick: run("remove") }, "Remove"), el("button", { class: "btn stop", type: "button", onclick: run("ban") }, "Remove and ban")));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
};

let known = null;
/** Gives the number of hands that are new since the last time. */
export const drawHands = (api, studio, host) => {
  const all = [...studio.hands].sort((a, b) => a.since - b.since);
  text($("hand-count"), all.length ? `${number(all.length)} raised, longest first` : "none raised");
  $("no-hands").hidden = all.length > 0;
  keep($("hand-list"), all.slice(0, HANDS_SHOWN), (one) => one.person, (one) => el("li", { class: "plate" }, el("span", { class: "who" }, el("b", {}, el("bdi")), el("small")),
    host ? el("span", { class: "btns" },
      el("button", { class: "btn slim main", type: "button", "data-accept": one.person, onclick: () => does(call("POST", `${api}/hands/${one.person}/accept`), `${named(one)} is called to the stage.`) }, "Accept", el("span", { class: "vh" }, ` ${named(one)}`)),
      el("button", { class: "btn slim bare", type: "button", onclick: () => does(call("POST", `${api}/hands/${one.person}/decline`)) }, "Lower", el("span", { class: "vh" }, ` hand of ${named(one)}`))) : null), (row, one) => {
    const [b, small] = row.querySelector(".who").children;
    text(b.firstChild, one.name || "Listener");
    text(small, `waits ${ago(studio.now - one.since)} · ${one.question ? `“${one.question}”` : "no question given"}`);
  });
  const more = all.length - HANDS_SHOWN;
  text($("more-hands"), more > 0 ? `${number(more)} more wait behind these.` : "");
  const fresh = known ? all.filter((one) => !known.has(one.person)).length : 0;
  known = new Set(all.map((one) => one.person));
  return fresh;
};

export const endSpace = async (api, listening) => {
  if (!await ask("End it for everybody?", `${number(listening)} listen now. It cannot be opened again; the recording stays under the link if there is one.`, "End it")) return;
  await does(call("POST", `${api}/end`));
};
