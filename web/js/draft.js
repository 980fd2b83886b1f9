// The form of a space's title, time and choices: for a new one and for an edit.

import { call, el, text } from "./util.js";

/** For <input type=datetime-local>: the reader's own time. */
const local = (ms) => {
  if (!ms) return "";
  const at = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
};

const tick = (name, on, words) => el("label", { class: "tick" }, el("input", { type: "checkbox", name, ...(on ? { checked: true } : {}) }), words);
const stacked = (words, small, input) => el("label", { class: "stacked" }, words, small ? el("small", {}, small) : null, el("span", { class: "field" }, input));

/** `send` gets the fields as the API names them; what it throws is shown under the form. */
export const form = (space, done, send, more) => {
  const wrong = el("p", { class: "small tell", role: "alert" });
  const title = el("input", { name: "title", required: true, maxlength: 140, autocomplete: "off", value: space?.title ?? "" });
  const words = el("textarea", { name: "description", rows: 3, maxlength: 2000 });
  words.value = space?.description ?? "";
  const starts = el("input", { name: "starts", type: "datetime-local", value: local(space?.starts_at) });
  const fixed = space && space.phase !== "posted";
  starts.disabled = Boolean(fixed);
  const record = tick("record", space?.record ?? true, "Record it, and keep the recording under the same link");
  record.querySelector("input").disabled = Boolean(fixed && space.phase !== "open");
  const box = el("form", { class: "form", onsubmit: async (event) => {
    event.preventDefault();
    const fields = { title: title.value.trim(), description: words.value.trim(), listed: box.elements.listed.checked };
    if (!starts.disabled) fields.starts_at = starts.value ? new Date(starts.value).getTime() : null;
    if (!record.querySelector("input").disabled) fields.record = box.elements.record.checked;
    text(wrong, "");
    const button = box.querySelector("[type=submit]");
    button.disabled = true;
    try { done(await send(fields)); } catch (error) { text(wrong, error.message); } finally { button.disabled = false; }
  } },
  stacked("Title", "", title),
  stacked("What it is about", "Listeners read this above the sound.", words),
  stacked("Start", fixed ? "It has begun already." : "Your time. Leave it empty if it is not known yet.", starts),
  tick("listed", space?.listed ?? true, "Show it on the front page; else only who has the link finds it"),
  record, wrong,
  el("div", { class: "btns" }, el("button", { class: "btn main", type: "submit" }, space ? "Save" : "Make the space"), more ?? null));
  return box;
};

export const edit = (space, done) => {
  const close = el("button", { class: "btn", type: "button", onclick: () => box.close() }, "Leave it as it was");
  const box = el("dialog", { "aria-labelledby": "edit-h" }, el("h2", { id: "edit-h" }, "Change the space"),
    form(space, (answer) => { box.close(); done(answer); }, (fields) => call("PATCH", `/api/v1/spaces/${space.id}`, fields), close));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
};

/** Asks for a reason, then cancels. */
export const cancel = (space, done) => {
  const reason = el("input", { maxlength: 300, autocomplete: "off" });
  const wrong = el("p", { class: "small tell", role: "alert" });
  const box = el("dialog", { "aria-labelledby": "cancel-h" },
    el("h2", { id: "cancel-h" }, "Cancel this space?"),
    el("p", {}, "The link will say that it was cancelled. This cannot be taken back."),
    stacked("Reason", "It stands on the page. You may leave it empty.", reason), wrong,
    el("div", { class: "btns" },
      el("button", { class: "btn", type: "button", autofocus: true, onclick: () => box.close() }, "No"),
      el("button", { class: "btn stop", type: "button", onclick: async () => {
        try { const answer = await call("POST", `/api/v1/spaces/${space.id}/cancel`, { reason: reason.value.trim() }); box.close(); done(answer); } catch (error) { text(wrong, error.message); }
      } }, "Cancel the space")));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
};

/** A link that can be copied, with its field. */
export const linkLine = (label, link, note) => {
  const input = el("input", { readonly: true, "aria-label": label, value: link, onfocus: () => input.select() });
  const button = el("button", { class: "btn", type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(link); text(button, "Copied"); setTimeout(() => text(button, "Copy"), 2000); } catch { input.select(); }
  } }, "Copy");
  return el("div", { class: "stack tight" }, el("p", { class: "small" }, el("b", {}, label), note ? ` ${note}` : ""), el("div", { class: "copyline" }, el("span", { class: "field" }, input), button));
};
