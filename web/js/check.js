// Panels of the studio beside the stage: sound check, going live, hold music, invitations.

import { $, ask, call, el, icon, number, text, toast } from "./util.js";
import { levelWords } from "./mic.js";
import { linkLine } from "./draft.js";
import { moment } from "./times.js";

/** A sentence is said when the level was good for this long (ms). */
const GOOD_MS = 1500;
/** Largest upload of the API. */
const MUSIC_MAX = 20 * 1024 * 1024;

const step = (id, name, ...more) => el("li", {}, el("span", { class: "todo", id: `${id}-mark` }, icon("wait")), el("div", { class: "stack tight" }, el("h3", {}, name), ...more));
const mark = (id, ok) => {
  const box = $(`${id}-mark`);
  if (!box || box.dataset.ok === String(ok)) return;
  box.dataset.ok = String(ok);
  box.className = ok ? "ok" : "todo";
  box.replaceChildren(icon(ok ? "check" : "wait"));
};

/** Three steps: microphone, level, own echo. */
export const checkPanel = (api, speaker, me) => {
  const choose = el("select", { id: "mic-choice", onchange: () => speaker.device(choose.value) });
  const name = el("input", { id: "own-name", maxlength: 40, autocomplete: "name", value: me.name });
  name.addEventListener("change", async () => {
    if (name.value.trim()) try { await call("PATCH", `${api}/people/me`, { name: name.value.trim() }); toast("Your name is on your plate."); } catch (error) { toast(error.message); }
  });
  const open = el("button", { class: "btn main", type: "button", id: "open-mic", onclick: () => speaker.join() }, icon("mic"), "Open your microphone");
  const echo = el("button", { class: "btn", type: "button", id: "echo", "aria-pressed": "false", disabled: true }, icon("sound"), el("span", {}, "Hear yourself"));
  let echoing = false, good = 0, before = performance.now();
  echo.addEventListener("click", async () => {
    try {
      await call("POST", `${api}/echo`, { on: !echoing });
      echoing = !echoing;
      if (echoing) { mark("echo", true); speaker.mute(false); }
      echo.setAttribute("aria-pressed", String(echoing));
      text(echo.querySelector("span"), echoing ? "Stop hearing yourself" : "Hear yourself");
    } catch (error) { toast(error.message); }
  });
  speaker.mic.addEventListener("level", ({ detail }) => {
    const now = performance.now();
    if (detail >= 0.55 && detail <= 0.85) good += now - before;
    before = now;
    if (good > GOOD_MS) mark("level", true);
    const words = { nothing: "Nothing is heard. Is the right microphone chosen?", "too quiet": "Too quiet. Come closer.", quiet: "Rather quiet. Come a little closer.", good: "Good. Stay this close.", "too loud": "Too loud. Go back a little." };
    text($("level-says"), words[levelWords(detail)]);
  });
  speaker.mic.addEventListener("zeros", ({ detail }) => detail && toast("Your microphone is open but gives only silence. A switch on it may be off."));
  const panel = el("section", { class: "panel", id: "check", "aria-labelledby": "sc" },
    el("div", { class: "head" }, el("h2", { id: "sc" }, "Sound check"), el("span", { class: "soft" }, "only you hear this")),
    el("ol", { class: "steps" },
      step("mic", "Name and microphone", el("label", { class: "stacked small" }, el("span", { class: "vh" }, "Your name"), el("span", { class: "field" }, name)),
        el("div", { class: "btns" }, open), el("label", { class: "field", id: "mic-pick", hidden: true }, el("span", { class: "vh" }, "Microphone"), choose)),
      step("level", "Say a whole sentence", el("p", { class: "small soft", id: "level-says" }, "The bar below shows how loud you are.")),
      step("echo", "Hear yourself as they will", el("div", { class: "btns" }, echo), el("p", { class: "small soft" }, "When the doors are open. Use headphones, or it will whistle. You can go live without it."))));
  const draw = async () => {
    const has = Boolean(speaker.mic.track);
    mark("mic", has);
    open.hidden = has || speaker.state === "opening";
    $("mic-pick").hidden = !has;
    echo.disabled = speaker.state !== "connected";
    if (!has && echoing) { echoing = false; echo.setAttribute("aria-pressed", "false"); text(echo.querySelector("span"), "Hear yourself"); }
    if (!has) return;
    const devices = await speaker.mic.devices();
    choose.replaceChildren(...devices.map((one) => el("option", { value: one.id, ...(one.id === speaker.mic.device ? { selected: true } : {}) }, one.name)));
  };
  speaker.addEventListener("change", draw);
  return panel;
};

/** Doors and going live. */
export const livePanel = (api) => {
  const run = (path, words) => async () => { try { await call("POST", `${api}/${path}`); toast(words); } catch (error) { toast(error.message); } };
  const panel = el("section", { class: "stack", id: "go-live", "aria-labelledby": "gl" }, el("h2", { id: "gl" }, "When you go live"),
    el("ul", { class: "plain small" },
      el("li", {}, el("span", { class: "grow" }, "People behind the doors"), el("b", { class: "n", id: "behind" }, "0")),
      el("li", {}, el("span", { class: "grow" }, "They hear until then"), el("b", { id: "until" }, "nothing, the doors are closed")),
      el("li", {}, el("span", { class: "grow" }, "On stage now"), el("b", { id: "who-now" }, "nobody")),
      el("li", {}, el("span", { class: "grow" }, "Recording"), el("b", { id: "will-record" }, ""))),
    el("button", { class: "listen", type: "button", id: "live", onclick: async () => {
      const count = $("behind").textContent;
      if (await ask("Go live now?", `${count === "1" ? "1 person hears" : `${count} people hear`} you as soon as you unmute.`, "Go live", "Not yet")) run("live", "You are live. Unmute to be heard.")();
    } }, el("span", { class: "eye" }, icon("mic")), el("span", {}, el("b", {}, "Go live…"), el("small", {}, "You are asked once more. Your microphone stays muted."))),
    el("div", { class: "btns" }, el("button", { class: "btn", type: "button", id: "doors", onclick: run("open", "The doors are open. Hold music plays.") }, icon("music"), "Open the doors now")));
  return panel;
};

export const drawLive = (studio) => {
  const { space } = studio;
  text($("behind"), number(space.listening));
  text($("until"), space.phase === "open" ? "hold music" : "nothing, the doors are closed");
  const names = studio.people.filter((one) => one.seat === "taken").map((one) => (one.person === studio.me.person ? "you" : one.name));
  text($("who-now"), names.length ? names.join(", ") : "nobody");
  text($("will-record"), space.record ? "yes, everybody sees it" : "no");
  $("doors").hidden = space.phase !== "posted";
};

/** Hold music: on, off, another file. */
export const musicPanel = (api) => {
  const file = el("input", { type: "file", id: "music-file", accept: "audio/*,.wav,.flac,.ogg,.mp3", class: "vh", onchange: async () => {
    const [given] = file.files;
    if (!given) return;
    if (given.size > MUSIC_MAX) { toast("The file is larger than 20 MB. A shorter one repeats just as well."); return; }
    text($("music-says"), "Sending the file…");
    try { await call("PUT", `${api}/hold-music`, given, { timeout: 120000 }); toast("Your music is in place."); } catch (error) { toast(error.message); }
    file.value = "";
    $("music-says").textContent = "";
  } });
  const on = el("button", { class: "btn", type: "button", id: "music-on", "aria-pressed": "false", onclick: async () => {
    try { await call("POST", `${api}/music`, { on: on.getAttribute("aria-pressed") !== "true" }); } catch (error) { toast(error.message); }
  } }, icon("music"), el("span", {}, "Play hold music"));
  return el("section", { class: "stack tight", id: "music", "aria-labelledby": "mu" }, el("h2", { id: "mu" }, "Hold music"),
    el("div", { class: "btns" }, on, el("label", { class: "btn", for: "music-file" }, "Use a file…"), file,
      el("button", { class: "btn bare", type: "button", id: "music-own", hidden: true, onclick: async () => { try { await call("DELETE", `${api}/hold-music`); toast("The bundled music plays again."); } catch (error) { toast(error.message); } } }, "Use the bundled one")),
    el("p", { class: "small soft", id: "music-says", role: "status" }));
};

export const drawMusic = ({ space }) => {
  const live = space.phase === "live";
  $("music-on").hidden = !live;
  $("music-on").setAttribute("aria-pressed", String(space.hold_music));
  text($("music-on").querySelector("span"), space.hold_music ? "Stop hold music" : "Play hold music");
  $("music-own").hidden = !space.own_hold_music;
  if (!$("music-says").textContent.startsWith("Sending")) text($("music-says"), `${space.own_hold_music ? "Your own file." : "The bundled loop."} WAV, FLAC, Ogg or MP3, at most 20 MB.`);
};

const ROLES = { host: "Host", "co-host": "Co-host", speaker: "Speaker", listener: "Listener" };

/** Invitations: make, show again, revoke. */
export const invitePanel = (api) => {
  const role = el("select", { id: "inv-role" }, ["speaker", "co-host", "host"].map((one) => el("option", { value: one }, ROLES[one])));
  const name = el("input", { id: "inv-name", maxlength: 40, autocomplete: "off" });
  const made = el("div", { class: "stack", "aria-live": "polite" });
  const list = el("ul", { class: "plain small", id: "inv-list" });
  const refresh = async () => {
    try {
      const { invites } = await call("GET", `${api}/invites`);
      list.replaceChildren(...invites.filter((one) => !one.revoked).map((one) => {
        const name = one.name || (one.role === "host" ? "The hosts’ link" : "No name");
        return el("li", {}, el("span", { class: "grow" }, name, el("span", { class: "soft" }, ` · ${ROLES[one.role] ?? one.role}${one.expires_at ? `, until ${moment(one.expires_at, "when")}` : ""}`)), el("span", { class: "btns" },
          el("button", { class: "btn slim", type: "button", onclick: async () => { try { show(await call("POST", `${api}/invites/${one.invite}/link`)); } catch (error) { toast(error.message); } } }, "Link", el("span", { class: "vh" }, ` for ${name}`)),
          el("button", { class: "btn slim bare", type: "button", onclick: async () => {
            if (!await ask("Revoke this link?", `${one.name || "Who has it"} cannot come in with it any more, and loses the place on stage that it gave.`, "Revoke")) return;
            try { await call("DELETE", `${api}/invites/${one.invite}`); made.replaceChildren(); refresh(); } catch (error) { toast(error.message); }
          } }, "Revoke", el("span", { class: "vh" }, ` the link for ${name}`))));
      }));
    } catch { list.replaceChildren(); }
  };
  const show = (invite) => made.replaceChildren(linkLine(`Link for ${invite.name || "your guest"}.`, invite.link, "Whoever has it may come in with this role. Send it to one person."));
  const panel = el("section", { class: "stack", id: "invites", "aria-labelledby": "in" }, el("h2", { id: "in", tabindex: -1 }, "Invite"),
    el("form", { class: "form", onsubmit: async (event) => {
      event.preventDefault();
      try { show(await call("POST", `${api}/invites`, { role: role.value, name: name.value.trim() })); name.value = ""; refresh(); } catch (error) { toast(error.message); }
    } },
    el("label", { class: "stacked" }, "Name", el("small", {}, "It stands on the plate until the guest changes it."), el("span", { class: "field" }, name)),
    el("label", { class: "stacked" }, "As", el("span", { class: "field" }, role)),
    el("div", { class: "btns" }, el("button", { class: "btn", type: "submit" }, icon("link"), "Make a link"))), made, list);
  refresh();
  return panel;
};
