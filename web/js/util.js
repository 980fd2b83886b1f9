// Small helps that every page uses.

export const $ = (id) => document.getElementById(id);
export const data = document.body.dataset;

/** Full jitter: anywhere between the floor and a ceiling that doubles, in ms. Nobody comes back at the same time. */
export const backoff = (attempt, floor = 250, ceiling = 8000) =>
  floor + Math.random() * (Math.min(ceiling, floor * 2 ** Math.min(attempt + 1, 12)) - floor);

export const sleep = (ms, signal) => new Promise((done) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

export const number = (n) => Number(n || 0).toLocaleString("en-GB");
export const plural = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** `28:31`, `1:32:00`. */
export const position = (seconds) => {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
};

export const ago = (ms) => {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
};

/** The mark, for the system's own screen of what plays. */
export const artwork = () => [{ src: document.querySelector("link[rel=icon]").href, sizes: "any", type: "image/svg+xml" }];

/** An element: el("p", {class: "soft", onclick: f}, "text", child…). Text is always text. */
export const el = (name, given = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "value") made.value = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
};

const SVG = "http://www.w3.org/2000/svg";
export const icon = (name) => {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
};

/** Changes text only when it differs: a live region must not speak twice. */
export const text = (node, words) => { if (node && node.textContent !== words) node.textContent = words; };
export const say = (words) => text($("say"), words);
export const cry = (words) => text($("cry"), words);

/** One banner at a time, under the masthead; trouble wins. */
const banners = new Map();
const RANK = { trouble: 0, wait: 1, "": 2 };
export const banner = (key, given) => {
  if (!given && !banners.has(key)) return;
  const before = banners.get(key);
  if (given && before && before.head === given.head && before.more === given.more && before.kind === given.kind) return;
  if (given) banners.set(key, given); else banners.delete(key);
  const [first] = [...banners.values()].sort((a, b) => RANK[a.kind ?? ""] - RANK[b.kind ?? ""]);
  const news = $("news");
  const focused = news.contains(document.activeElement) ? document.activeElement.textContent : null;
  news.replaceChildren(...(first ? [el("section", { class: `banner ${first.kind ?? ""}`, "aria-label": first.label ?? "Notice" },
    el("div", { class: "wrap" },
      el("div", { class: "say" }, icon(first.icon ?? "info"), el("p", {}, el("b", {}, first.head), el("span", { class: "soft" }, first.more ?? ""))),
      first.actions?.length ? el("div", { class: "btns" }, first.actions.map(([name, does, main]) =>
        el("button", { class: main ? "btn main" : "btn", type: "button", onclick: does }, name))) : null))] : []));
  if (focused) [...news.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
};

let toastTimer;
export const toast = (words) => {
  $("toast")?.remove();
  const box = el("section", { class: "toast", id: "toast", "aria-label": "Notice" }, words, el("button", { type: "button", onclick: () => box.remove() }, "Close"));
  document.body.append(box);
  say(words);
  const arm = () => { clearTimeout(toastTimer); toastTimer = setTimeout(() => box.remove(), 6000); };
  for (const stay of ["mouseenter", "focusin"]) box.addEventListener(stay, () => clearTimeout(toastTimer));
  for (const go of ["mouseleave", "focusout"]) box.addEventListener(go, arm);
  arm();
};

/** A question in a dialog; gives true when the second button is pressed. The first focus is "No". */
export const ask = (head, more, yes, no = "No") => new Promise((done) => {
  let answer = false;
  const box = el("dialog", { class: "ask", "aria-labelledby": "ask-h" },
    el("h2", { id: "ask-h" }, head), el("p", {}, more),
    el("div", { class: "btns" },
      el("button", { class: "btn", type: "button", autofocus: true, onclick: () => box.close() }, no),
      el("button", { class: "btn stop", type: "button", onclick: () => { answer = true; box.close(); } }, yes)));
  box.addEventListener("close", () => { box.remove(); done(answer); });
  document.body.append(box);
  box.showModal();
});

/** Details of problems begin small and end without a stop, for they also stand in logs and terminals. */
const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;

/** A call of the API. Throws an Error whose message can be shown. */
export const call = async (method, url, body, more = {}) => {
  let answer;
  try {
    const json = body !== undefined && !(body instanceof Blob);
    answer = await fetch(url, {
      method,
      credentials: url.startsWith("/") ? "same-origin" : "include",
      headers: json ? { "content-type": "application/json" } : {},
      body: json ? JSON.stringify(body) : body,
      signal: more.signal ?? AbortSignal.timeout?.(more.timeout ?? 15000),
      keepalive: more.keepalive ?? false,
    });
  } catch (error) {
    throw Object.assign(new Error(navigator.onLine ? "The server does not answer now. Try again in a moment." : "You are offline."), { cause: error, status: 0 });
  }
  const words = await answer.text();
  let value = null;
  try { value = words ? JSON.parse(words) : null; } catch { /* not JSON: the status says enough */ }
  if (answer.ok) return value;
  throw Object.assign(new Error(sentence(value?.detail || value?.title || `the server answered ${answer.status}`)), { status: answer.status, problem: value });
};

/** Where single keys must be dead. */
export const typing = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));
