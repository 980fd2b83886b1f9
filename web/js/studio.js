// /studio: sign in with an operator's or host's token; make, schedule, edit and end spaces.

import { $, ask, call, el, icon, plural, text, toast } from "./util.js";
import { moment } from "./times.js";
import { cancel, edit, form, linkLine } from "./draft.js";

const view = $("view");
/** ms between two looks at the list. */
const LOOK_MS = 10000;
let spaces = [];
/** What the list shows, as text. Rows put in anew without need would lose a press that has not ended. */
let drawn = "";
let timer = 0;

const start = async () => {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (location.hash) history.replaceState(null, "", location.pathname);
  try {
    const me = token ? await call("POST", "/studio/enter", { token }) : await call("GET", "/api/v1/me");
    if (me?.role) return list();
    signIn("");
  } catch (error) { signIn(error.message); }
};

const signIn = (why) => {
  $("sign-out").hidden = true;
  const input = el("input", { type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const wrong = el("p", { class: "small tell", role: "alert" }, why);
  view.replaceChildren(
    el("h1", {}, "Studio"),
    el("p", { class: "stand" }, "Make and schedule spaces here. Sign in with a token: the operator’s lies in the file that the server names when it starts."),
    el("form", { class: "form", onsubmit: async (event) => {
      event.preventDefault();
      const given = input.value.trim();
      // A whole invitation link leads to its space.
      const link = /\/studio\/([a-z0-9-]+)#token=(\S+)$/.exec(given);
      if (link) { location.href = `/studio/${link[1]}#token=${link[2]}`; return; }
      try { await call("POST", "/studio/enter", { token: given.replace(/^.*#token=/, "") }); list(); } catch (error) { text(wrong, error.message); input.select(); }
    } },
    el("label", { class: "stacked" }, "Token", el("small", {}, "It goes to this server only, and is kept as a cookie that scripts cannot read."), el("span", { class: "field" }, input)),
    wrong, el("div", { class: "btns" }, el("button", { class: "btn main", type: "submit" }, "Sign in"))));
  input.focus();
};

const list = async () => {
  $("sign-out").hidden = false;
  drawn = "";
  const made = el("div", { id: "made", class: "stack", "aria-live": "polite" });
  const bill = el("ul", { class: "bill", id: "bill" });
  view.replaceChildren(
    el("div", { class: "head" }, el("h1", {}, "Studio"), el("span", { class: "soft" }, "All times are yours")),
    made,
    el("div", { class: "cols" },
      el("section", { "aria-labelledby": "all-h" }, el("div", { class: "head" }, el("h2", { id: "all-h" }, "Spaces"), el("span", { class: "soft", id: "how-many" })), bill),
      el("section", { class: "panel", "aria-labelledby": "new-h" }, el("div", { class: "head" }, el("h2", { id: "new-h" }, "A new space")), fresh(made))));
  await look();
};

const fresh = (made) => {
  const box = form(null, (space) => {
    made.replaceChildren(el("section", { class: "panel stack", "aria-labelledby": "made-h" },
      el("h2", { id: "made-h" }, `“${space.title}” is made`),
      linkLine("For the hosts.", space.host_link, "Who has this link runs the space. Keep it to yourself and those who host with you."),
      linkLine("For everybody.", space.page, "It works before, during and after."),
      el("div", { class: "btns" }, el("a", { class: "btn main", href: space.host_link }, icon("mic"), "Open its studio"), el("a", { class: "btn", href: space.page }, "See its page"))));
    box.reset();
    look();
    made.scrollIntoView({ block: "nearest" });
  }, (fields) => call("POST", "/api/v1/spaces", fields));
  return box;
};

const look = async () => {
  clearTimeout(timer);
  try {
    spaces = (await call("GET", "/api/v1/spaces")).spaces;
    const now = JSON.stringify(spaces);
    if (now !== drawn) {
      const held = $("bill")?.contains(document.activeElement) ? document.activeElement.dataset.key : null;
      draw();
      if (held) $("bill").querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
      drawn = now;
    }
  } catch (error) {
    if (error.status === 401 || error.status === 403) return signIn(error.message);
  }
  timer = setTimeout(look, LOOK_MS);
};

const PHASES = { posted: "Posted", open: "Doors open", live: "Live", ended: "Ended", cancelled: "Cancelled" };

const draw = () => {
  text($("how-many"), plural(spaces.length, "space"));
  $("bill").replaceChildren(...(spaces.length ? spaces.map(row) : [el("li", { class: "entry soft" }, "No space yet. Make the first one.")]));
};

const recorded = (space) => {
  if (space.phase === "cancelled") return null;
  if (space.phase === "ended") return space.recording && !space.recording.deleted ? "recording kept" : "no recording";
  return space.record ? (space.phase === "live" ? "being recorded" : "will be recorded") : "not recorded";
};

const row = (space) => {
  const running = space.phase === "open" || space.phase === "live";
  const act = (name, words, does, kind = "") => el("button", { class: `btn slim ${kind}`, type: "button", "data-key": `${space.id}-${name}`, onclick: does }, words, el("span", { class: "vh" }, `: ${space.title}`));
  const refused = (does) => async () => { try { await does(); await look(); } catch (error) { toast(error.message); } };
  const when = space.live_at ?? space.starts_at;
  return el("li", { class: "entry" },
    el("p", { class: "when" }, el("b", { class: "row" }, space.phase === "live" ? el("span", { class: "lamp dot", "aria-hidden": "true" }) : null, PHASES[space.phase]), when ? moment(when, "short") : "no time yet"),
    el("div", {}, el("h3", {}, el("a", { href: `/studio/${space.id}` }, space.title)),
      el("p", { class: "soft small" }, [space.listed ? "Listed" : "Unlisted", running ? `${plural(space.listening, "listener")} now` : null, recorded(space)].filter(Boolean).join(" · ")),
      el("div", { class: "btns" },
        el("a", { class: "btn slim", href: `/studio/${space.id}`, "data-key": `${space.id}-studio` }, "Studio", el("span", { class: "vh" }, ` of ${space.title}`)),
        el("a", { class: "btn slim", href: space.page, "data-key": `${space.id}-page` }, "Page", el("span", { class: "vh" }, ` of ${space.title}`)),
        space.phase !== "ended" && space.phase !== "cancelled" ? act("edit", "Change", () => edit(space, look)) : null,
        space.phase === "posted" || space.phase === "open" ? act("cancel", "Cancel…", () => cancel(space, look), "bare") : null,
        space.phase === "live" ? act("end", "End…", refused(async () => {
          if (await ask("End this space?", `${plural(space.listening, "person", "people")} listen. It cannot be opened again.`, "End it")) await call("POST", `/api/v1/spaces/${space.id}/end`);
        }), "stop") : null,
        space.phase === "ended" && space.recording && !space.recording.deleted ? act("drop", "Delete recording…", refused(async () => {
          if (await ask("Delete the recording?", "It is gone for everybody and cannot be brought back.", "Delete it")) await call("DELETE", `/api/v1/spaces/${space.id}/recording`);
        }), "bare") : null)),
    el("div", { class: "does" }));
};

$("sign-out").addEventListener("click", async () => {
  clearTimeout(timer);
  try { await call("DELETE", "/studio/enter"); } catch { /* the cookie may be gone already */ }
  signIn("You are signed out.");
});
start();
