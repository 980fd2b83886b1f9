// How the pages look and are used: every page in its states, small and large, light and dark, zoomed, without colours of
// its own, by keyboard alone. `PICTURES=docs/pictures node tests/browser/look.mjs` makes the README's pictures as well.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { barriers, openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { GUEST_TONES, HOST_TONES, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, listen, open, openStudio, settled, takeSeat, test, watched, words } from "./suite.mjs";

const shots = process.env.SHOTS ?? "target/shots";
const SMALL = { width: 360, height: 740 }, LARGE = { width: 1280, height: 800 };
/** What 200 % zoom leaves of a small laptop's screen, and the narrowest that WCAG 1.4.10 asks for. */
const NARROW = [{ width: 640, height: 400 }, { width: 320, height: 256 }];
let crowd, hostBrowser, guestBrowser, host, guest, listener, desk;
const url = (id) => `${house.public}/s/${id}`;

/** Each size and scheme is looked at by axe and kept as a picture; nothing may be wider than the screen. */
const look = async (page, name) => {
  const wrong = [];
  for (const [size, viewport] of [["360", SMALL], ["1280", LARGE]]) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await settled(page);
      await page.screenshot({ path: join(shots, `${name}-${colorScheme}-${size}.png`) });
      if (colorScheme === "light") await page.screenshot({ path: join(shots, `${name}-full-${size}.png`), fullPage: true });
      wrong.push(...(await barriers(page)).map((one) => `${size} ${colorScheme}: ${one}`));
    }
  }
  for (const viewport of NARROW) {
    await page.setViewportSize(viewport);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (over > 0) wrong.push(`${over} px wider than ${viewport.width}`);
    const [seen, small] = await page.evaluate(() => {
      const targets = [...document.querySelectorAll("button, a[href], summary, select, input:not([type=range])")].filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".vh, .skip") && !one.matches(".vh, .skip"));
      const inline = (one) => one.localName === "a" && getComputedStyle(one).display === "inline";
      return [targets.length, targets.filter((one) => { const box = one.getBoundingClientRect(); return !inline(one) && (box.width < 24 || box.height < 24) && box.width > 0; }).map((one) => one.outerHTML.slice(0, 90))];
    });
    if (!seen) wrong.push("nothing can be pressed");
    if (small.length) wrong.push(`smaller than 24 px: ${small}`);
  }
  await page.setViewportSize(LARGE);
  await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
  await settled(page);
  await page.screenshot({ path: join(shots, `${name}-forced-1280.png`) });
  await page.emulateMedia({ colorScheme: "light", forcedColors: "none", reducedMotion: "reduce" });
  const moves = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => { const { transitionProperty, transitionDuration, animationName } = getComputedStyle(one); return animationName !== "none" || (transitionProperty !== "none" && parseFloat(transitionDuration) > 0); }).length);
  if (moves) wrong.push(`${moves} elements move though less motion is wanted`);
  await page.emulateMedia({ reducedMotion: "no-preference" });
  if (wrong.length) throw new Error(wrong.join("\n"));
};

/** Presses Tab through the page: what is focused in turn, with whether its focus can be seen. */
const tabs = (page, count) => page.evaluate(() => document.activeElement?.blur()).then(async () => {
  const order = [];
  for (let i = 0; i < count; i += 1) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => {
      const one = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(one.closest(".field, .wave") ?? one);
      return { is: one.id || one.textContent.trim().slice(0, 30) || one.getAttribute("aria-label"), seen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    }));
  }
  return order;
});
const marks = (page) => page.evaluate(() => ({ h1: document.querySelectorAll("h1").length, main: document.querySelectorAll("main").length, nav: document.querySelectorAll("nav[aria-label]").length,
  lang: document.documentElement.lang, levels: [...document.querySelectorAll("h1,h2,h3,h4")].filter((one) => one.checkVisibility()).map((one) => Number(one.localName[1])) }));

await test("a house with a space in each state", async () => {
  await house.start("--demo");
  writeTones(join(folder, "host.wav"), HOST_TONES);
  writeTones(join(folder, "guest.wav"), GUEST_TONES);
  [crowd, hostBrowser, guestBrowser] = await Promise.all([openChromium(), openChromium(join(folder, "host.wav")), openChromium(join(folder, "guest.wav"))]);
  const day = 86400000, make = (id, title, description, starts_at) => house.api("POST", "/spaces", { id, title, description, starts_at });
  await make("river", "The river path: lamps, benches and who pays", "A walk-through with the director of parks.", Date.now() + 2 * day + 3600000);
  await make("school", "School meals: the first term", "What worked, what did not.", Date.now() + 5 * day);
  await make("flood", "Flood maps, explained", "", Date.now() + 9 * day);
  await house.api("POST", "/spaces/flood/cancel", { reason: "The geologist is ill. A new date will be posted here." });
  await make("past", "Bus lanes, a year later", "Residents of four wards and the director of transit.");
  await house.api("POST", "/spaces/past/live");
  const { host_link } = await make("hearing", "What the city spends in 2027: the budget hearing", "The finance committee hears the treasurer and residents.", Date.now() + 1800000);
  await until("the demo", async () => (await fetch(`${url("demo")}/live.ogg`, { signal: AbortSignal.timeout(500) })).ok);
  watched.host = host = await openStudio(hostBrowser, host_link);
  await until("seconds of the past", async () => (await (await fetch(`${url("past")}/state.json`)).json()).mediaMs > 6000);
  await house.api("POST", "/spaces/past/end");
}, { needed: true });

await test("the list of spaces", async () => {
  watched.listener = listener = await open(crowd, `${house.public}/`);
  await look(listener, "index");
});
await test("an unknown link", async () => { await listener.goto(url("nothing-here")); await look(listener, "lost"); });
await test("the countdown", async () => { await listener.goto(url("river")); await words(listener, "#clock", "days"); await look(listener, "countdown"); });
await test("cancelled", async () => { await listener.goto(url("flood")); await look(listener, "cancelled"); });
await test("the replay", async () => {
  await until("the recording", async () => (await house.api("GET", "/spaces/past")).recording);
  await listener.goto(url("past"));
  await listener.waitForSelector("#player:not([hidden])");
  await look(listener, "replay");
});
await test("the check before the doors, by name and level", async () => {
  await host.fill("#own-name", "Committee chair");
  await host.press("#own-name", "Enter");
  await host.click("#open-mic");
  await words(host, "#level-says", "Good.");
  await look(host, "studio-check");
});
await test("open doors, waiting", async () => {
  await host.click("#doors");
  await listener.goto(url("hearing"));
  await words(listener, "#doors", "Doors open");
  await listen(listener);
  await words(listener, "#listen", "Hold music");
  await look(listener, "doors");
});
await test("live: listening, with people on stage and a raised hand", async () => {
  await words(host, "#mic-state", "muted");
  await house.api("POST", "/spaces/hearing/live");
  await host.click("#mic");
  const { link } = await house.api("POST", "/spaces/hearing/invites", { role: "speaker", name: "City treasurer" });
  watched.guest = guest = await openStudio(guestBrowser, link);
  await takeSeat(guest);
  const resident = await open(crowd, url("hearing"));
  await resident.click("#hand");
  await resident.fill("#hand-name", "Resident, second ward");
  await resident.fill("#hand-question", "The bus to the clinic");
  await look(resident, "hand-dialog");
  await resident.click("dialog button[type=submit]");
  for (let i = 0; i < 3; i += 1) { await resident.click("[data-react=applaud]"); await new Promise((go) => setTimeout(go, 600)); }
  await resident.click("[data-react=agree]");
  await words(listener, "#listen", "You are listening");
  await words(listener, "#plates", "City treasurer");
  await words(listener, "[data-react=applaud] .n", "3");
  await look(listener, "live");
  await look(resident, "hand-up");
});
await test("the studio while live", async () => { await words(host, "#mic-state", "You are on air"); await look(host, "studio-live"); });
await test("the studio warns of a silent stage", async () => {
  await host.click("#mic");
  await words(host, "#news", "Nobody has been heard", 20000);
  await look(host, "studio-silent");
});
await test("the list in the studio, and its way in", async () => {
  watched.desk = desk = await open(crowd, `${house.stage}/studio`);
  await desk.waitForSelector("input[type=password]");
  await look(desk, "studio-sign-in");
  await desk.fill("input[type=password]", house.token);
  await desk.click("button[type=submit]");
  await words(desk, "#how-many", "spaces");
  await look(desk, "studio-list");
});

await test("each page has one title, one main part, named marks and no heading level left out", async () => {
  for (const page of [listener, host, desk]) {
    const { h1, main, nav, lang, levels } = await marks(page);
    const jump = levels.some((level, i) => i > 0 && level > levels[i - 1] + 1);
    if (h1 !== 1 || main !== 1 || nav !== 1 || lang !== "en" || jump) throw new Error(`${page.url()}: ${JSON.stringify({ h1, main, nav, lang, levels })}`);
  }
});
await test("by keyboard: the skip link first, then the marks in the order of reading, and every focus is seen", async () => {
  await listener.reload();
  const order = await tabs(listener, 9);
  if (!order[0].is.startsWith("Skip")) throw new Error(`first is ${order[0].is}`);
  const unseen = order.filter((one) => !one.seen);
  if (unseen.length) throw new Error(`no focus is seen on ${unseen.map((one) => one.is)}`);
  const at = (name) => order.findIndex((one) => one.is === name);
  if (!(at("listen") > 0 && at("listen") < at("hand"))) throw new Error(order.map((one) => one.is).join(" > "));
  await listener.reload();
  await listener.keyboard.press("Tab");
  await listener.keyboard.press("Enter");
  if (await listener.evaluate(() => document.activeElement.id) !== "main") throw new Error("the skip link leads elsewhere");
  await listener.focus("#listen");
  await listener.keyboard.press("Enter");
  await words(listener, "#listen", "You are listening");
});
await test("the studio's single keys: M, Space, A, H, S, and none of them while typing", async () => {
  const muted = (wanted) => words(host, "#mic-state", wanted);
  await host.evaluate(() => document.activeElement.blur());
  await host.keyboard.press("m");
  await muted("You are on air");
  await host.keyboard.press("m");
  await muted("muted");
  await host.keyboard.down(" ");
  await muted("You are on air");
  await host.keyboard.up(" ");
  await muted("muted");
  await host.keyboard.press("h");
  if (await host.evaluate(() => document.activeElement.id) !== "ha") throw new Error("H does not lead to the hands");
  await host.keyboard.press("s");
  if (await host.evaluate(() => document.activeElement.id) !== "st") throw new Error("S does not lead to the stage");
  await host.fill("#inv-name", "");
  await host.focus("#inv-name");
  await host.keyboard.type("mash a");
  if (await host.inputValue("#inv-name") !== "mash a") throw new Error("keys are taken from a text field");
  await muted("muted");
  await host.evaluate(() => document.activeElement.blur());
  await host.keyboard.press("a");
  await until("the hand taken", async () => (await house.api("GET", "/spaces/hearing")) && (await host.locator("#hand-list li").count()) === 0);
  await host.keyboard.press("?");
  await host.uncheck("dialog input[type=checkbox]");
  await host.keyboard.press("Escape");
  await host.evaluate(() => document.activeElement.blur());
  await host.keyboard.press("m");
  await muted("muted");
});
await test("what is said aloud has its place from the first paint", async () => {
  const bare = await (await fetch(url("hearing"))).text();
  for (const part of ['id="say" class="vh" role="status"', 'id="cry" class="vh" role="alert"', 'class="skip"', "aria-current=\"step\""]) if (!bare.includes(part)) throw new Error(`no ${part}`);
  const hidden = await listener.evaluate(() => [...document.querySelectorAll(".lamp, .row-of, svg")].filter((one) => !one.closest("[aria-hidden=true]")).length);
  if (hidden) throw new Error(`${hidden} drawings are read aloud`);
  if (await listener.locator("#count").evaluate((one) => Boolean(one.closest("[aria-live], [role=status]")))) throw new Error("the count is read aloud");
});
if (process.env.PICTURES) await test("the README's pictures", async () => {
  const picture = async (page, name, viewport, colorScheme) => {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); document.querySelector("#toast")?.remove(); });
    await settled(page);
    const whole = join(folder, `${name}.png`);
    await page.screenshot({ path: whole });
    // 128 colours are all that these pages have; the pictures stay small enough for a README.
    execFileSync("ffmpeg", ["-v", "error", "-y", "-i", whole, "-vf", "split[a][b];[a]palettegen=max_colors=128:stats_mode=full[p];[b][p]paletteuse=dither=none", "-compression_level", "100", join(process.env.PICTURES, `${name}.png`)]);
  };
  await host.click("#keys");
  await host.check("dialog input[type=checkbox]");
  await host.keyboard.press("Escape");
  await host.fill("#inv-name", "");
  await host.click("#mic");
  await words(host, "#mic-state", "You are on air");
  await words(listener, "#listen", "You are listening");
  await listener.click("[data-react=applaud]");
  await words(listener, "[data-react=applaud] .n", "1");
  await picture(listener, "live-light", LARGE, "light");
  await picture(listener, "live-dark", LARGE, "dark");
  await picture(listener, "live-phone", SMALL, "light");
  await picture(host, "studio-light", LARGE, "light");
  await picture(host, "studio-dark", LARGE, "dark");
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });

await finish(crowd, hostBrowser, guestBrowser);
