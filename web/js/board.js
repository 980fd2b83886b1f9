// The operator's board: what the server writes stays the truth. Each second it is fetched anew, and the parts that have changed
// take the place of the old ones, but for a part that somebody has the focus in.

import { $, cry, say, sleep, text } from "./util.js";
import { localise } from "./times.js";

/** ms between two looks; while nobody sees the page it rests. */
const LOOK_MS = 1000, REST_MS = 10000;
/** ms without an answer after which the page says that it is old. */
const OLD_MS = 8000;
let answered = Date.now();

/** What somebody has unfolded stays so. */
const keepOpen = (from, to) => {
  const name = (one) => one.querySelector("summary")?.textContent + (one.closest("[data-space]")?.dataset.space ?? "");
  const open = new Map([...from.querySelectorAll("details")].map((one) => [name(one), one.open]));
  for (const one of to.querySelectorAll("details")) if (open.has(name(one))) one.open = open.get(name(one));
};

const speak = (fresh) => {
  const sentence = fresh.querySelector("h1")?.textContent ?? "";
  if (sentence && sentence !== $("board").dataset.said) {
    $("board").dataset.said = sentence;
    if (fresh.dataset.harm === "true") cry(sentence); else say(sentence);
  }
};

const look = async () => {
  const answer = await fetch("/board", { cache: "no-store", signal: AbortSignal.timeout?.(5000) });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("board");
  // Signed out, here or elsewhere.
  if (!fresh) return location.reload();
  answered = Date.now();
  localise(fresh);
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!old || old.contains(document.activeElement)) continue;
    keepOpen(old, part);
    if (old.innerHTML !== part.innerHTML) old.replaceWith(document.adoptNode(part));
  }
  if (document.title !== page.title) document.title = page.title;
  speak(fresh);
};

const run = async () => {
  for (;;) {
    try { await look(); } catch { /* told below, when it lasts */ }
    const old = Date.now() - answered > OLD_MS;
    text($("old"), old ? `The node has not answered this page for ${Math.round((Date.now() - answered) / 1000)} s. What you see is as old.` : "");
    $("old").hidden = !old;
    await sleep(document.hidden ? REST_MS : LOOK_MS);
  }
};

/** The question is asked in place; without a dialog its page does the same. */
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.getAttribute("action") !== "/board/ask" || !globalThis.HTMLDialogElement) return;
  event.preventDefault();
  const url = `/board/ask?${new URLSearchParams(new FormData(form))}`;
  try {
    const answer = await fetch(url);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const asked = page.getElementById("ask") ?? page.getElementById("told");
    if (!asked) return location.assign(url);
    const box = document.createElement("dialog");
    const heading = asked.querySelector("h1");
    const h2 = document.createElement("h2");
    h2.textContent = heading.textContent;
    h2.id = "ask-h";
    heading.replaceWith(h2);
    asked.classList.remove("sect");
    box.setAttribute("aria-labelledby", "ask-h");
    box.append(document.adoptNode(asked));
    const no = box.querySelector("a.btn");
    no?.addEventListener("click", (click) => { click.preventDefault(); box.close(); });
    box.addEventListener("close", () => { box.remove(); form.querySelector("button[type=submit]")?.focus(); });
    document.body.append(box);
    box.showModal();
    no?.focus();
  } catch { location.assign(url); }
});

const old = document.createElement("p");
old.id = "old";
old.className = "banner trouble";
old.hidden = true;
$("board")?.prepend(old);
localise();
if ($("board")) {
  speak($("board"));
  run();
}
