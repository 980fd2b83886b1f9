// Reactions: words that one press says, and what all presses add up to.

import { $, call, number, say, text, toast } from "./util.js";

/** ms between two presses of one button that are sent. A finger is no faster; a held key would be. */
const AGAIN_MS = 500;
const WORDS = { applaud: "Applaud", agree: "Agree", disagree: "Disagree", louder: "Louder" };
const pressed = new Map();

export const reactions = (base) => {
  const box = $("reactions");
  if (!box || box.dataset.bound) return;
  box.dataset.bound = "yes";
  for (const button of box.querySelectorAll("[data-react]")) button.addEventListener("click", () => press(base, button));
};

const press = async (base, button) => {
  const { react } = button.dataset;
  const now = performance.now();
  if (now - (pressed.get(react) ?? -Infinity) < AGAIN_MS) return;
  pressed.set(react, now);
  try {
    await call("POST", `${base}/reactions`, { reaction: react });
    say(`${WORDS[react]}: sent.`);
  } catch (error) { toast(error.message); }
};

/** What the roster counts, on the buttons. */
export const shown = (roster) => {
  for (const button of document.querySelectorAll("#reactions [data-react]")) {
    const count = roster.phase === "live" ? roster.reactions?.[button.dataset.react] ?? 0 : 0;
    const box = button.querySelector(".n");
    box.hidden = !count;
    text(box, count ? number(count) : "");
  }
};

/** For the studio: one line, empty when nobody pressed. */
export const inWords = (counts) => Object.entries(WORDS).filter(([name]) => counts?.[name]).map(([name, word]) => `${word} ${number(counts[name])}`).join(" · ");
