// What every suite of browser tests rests on: a server of its own, one line a test, pictures of what failed.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { barriers, watchErrors } from "./browsers.mjs";
import { House, until } from "./house.mjs";

/** ms for one test that names no other. Nothing here waits for anything longer than this. */
const TEST_MS = 45000;
/** ms that a browser gets to close. */
const CLOSE_MS = 5000;
export const PHONE = { width: 390, height: 844 }, DESK = { width: 1280, height: 860 };
const shots = process.env.SHOTS ?? "target/shots";

export const folder = mkdtempSync(join(tmpdir(), "hustings-tones-"));
mkdirSync(shots, { recursive: true });
export const house = await House.on(process.env.HUSTINGS ?? "target/debug/hustings");
/** What pages complained of, beside what the tests look at. */
export const errors = [];
/** Pages whose picture is taken when a test fails, by name. */
export const watched = {};
let failed = 0, blocked = "";

/** Runs one test, in `ms`. One that others rest on is `needed`: when it fails, the rest is told as failed and not tried. */
export const test = async (name, run, { needed = false, ms = TEST_MS } = {}) => {
  const started = Date.now();
  let timer;
  try {
    if (blocked) throw new Error(`not tried, because "${blocked}" failed`);
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`took longer than ${ms / 1000} s`)), ms); });
    await Promise.race([run(), late]);
    console.log(`ok - ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    if (!blocked) for (const [who, page] of Object.entries(watched)) await page?.screenshot({ path: join(shots, `failed-${failed}-${who}.png`) }).catch(() => {});
    if (needed && !blocked) blocked = name;
    console.log(`not ok - ${name}\n    ${String(error.message).split("\n").slice(0, 12).join("\n    ")}`);
  }
  clearTimeout(timer);
};

export const open = async (browser, url, size = DESK) => {
  const page = await (await browser.newContext({ viewport: size, ignoreHTTPSErrors: house.tls.length > 0 })).newPage();
  page.setDefaultTimeout(8000);
  watchErrors(page, errors);
  await page.goto(url);
  return page;
};
export const listen = async (page) => {
  await page.click("#listen");
  await until("the sound", () => page.evaluate(() => [...document.querySelectorAll("audio")].some((one) => !one.paused && one.currentTime > 0)));
};
/** Opens `count` pages of a space, lets each play, and asks how many tasks of connections are left when all idle ones are closed. */
export const tasksOfListeners = async (browser, url, count, ms) => {
  const before = await house.metric("hustings_connection_tasks");
  let reused = 0;
  // All at once: then they are idle together, and the wait for it is one.
  const pages = await Promise.all(Array.from({ length: count }, async () => {
    const page = await open(browser, "about:blank");
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Network.enable");
    cdp.on("Network.responseReceived", ({ response }) => { if (/live\.(webm|mp4)/.test(response.url) && response.connectionReused) reused += 1; });
    await page.goto(url);
    await listen(page);
    return page;
  }));
  if (reused < count) throw new Error(`${reused} of ${count} pages took their sound over a connection that had brought a page before`);
  await until("connections without a task", async () => {
    const [listeners, tasks] = [await house.metric("hustings_listeners"), await house.metric("hustings_connection_tasks")];
    if (listeners !== count || tasks > before) throw new Error(`${listeners} listeners, ${tasks} tasks; ${before} before`);
    return true;
  }, ms);
  for (const page of pages) await page.context().close();
  await until("nobody", async () => await house.metric("hustings_listeners") === 0);
};
/** Waits until the element that `selector` names holds `wanted`. */
export const words = (page, selector, wanted, ms) => until(`"${wanted}" in ${selector}`, async () => {
  const all = await page.evaluate((what) => document.querySelector(what)?.textContent ?? "", selector);
  if (!all.includes(wanted)) throw new Error(`it says "${all.slice(0, 200)}"`);
  return true;
}, ms);
/** Colours that still change are neither looked at nor judged. */
export const settled = (page) => page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished.catch(() => {}))));
export const shoot = async (page, name) => {
  for (const [size, viewport] of [["desk", DESK], ["phone", PHONE]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await settled(page);
      await page.screenshot({ path: join(shots, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize(DESK);
  await page.emulateMedia({ colorScheme: "light" });
};
export const noBarriers = async (page, name) => {
  await shoot(page, name);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await settled(page);
    const found = await barriers(page);
    if (found.length) throw new Error(`${colorScheme}: ${found.join("\n")}`);
  }
};
export const wide = async (page) => {
  await page.setViewportSize(PHONE);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await page.setViewportSize(DESK);
  if (over > 0) throw new Error(`the page is ${over} px wider than a phone`);
};
/** Comes into the studio by a link; the microphone will be taken as it is. */
export const openStudio = async (browser, link) => {
  const page = await open(browser, link.replace("#", "?raw=1#"));
  await page.waitForSelector("#mic:not([disabled])");
  if (page.url().includes("token")) throw new Error(page.url());
  return page;
};
/** Opens the microphone and takes the seat; stays muted. */
export const takeSeat = async (page) => {
  await page.click("#mic");
  await until("the seat", async () => {
    const state = await page.evaluate(() => document.querySelector("#mic-state").textContent);
    if (!/You are muted|You talk, but/.test(state)) throw new Error(`the button says "${state}"`);
    return true;
  });
};
/** What is left when something failed earlier can still be tried. */
export const unblock = () => { blocked = ""; };

/** Closes what is given, tells the server's log when something failed, and ends the process. */
export const finish = async (...toClose) => {
  for (const one of toClose) await Promise.race([Promise.resolve(one?.close()).catch(() => {}), new Promise((go) => setTimeout(go, CLOSE_MS))]);
  await house.kill().catch(() => {});
  if (failed) console.log(`the server's log:\n${house.log.replace(/token=\S+/g, "token=...").slice(-6000)}`);
  house.clean();
  rmSync(folder, { recursive: true, force: true });
  process.exit(failed ? 1 : 0);
};
