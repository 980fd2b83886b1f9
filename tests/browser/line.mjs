// The line: more people than seats. Pages with and without script wait by themselves, keep their places, and sound begins by itself.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { solve, value } from "../../web/js/worker-effort.js";
import { openChromium, openFirefox, openSpeakers, watchErrors } from "./browsers.mjs";
import { until } from "./house.mjs";
import { doorOf, inLine, LARGE, look, plays, serving, sit, SMALL, url } from "./seats.mjs";
import { DESK, errors, finish, house, listen, open, test, watched, words } from "./suite.mjs";

const shots = process.env.SHOTS ?? "target/shots";
/** Listeners that one space may have here: as many sockets take them all. */
const SEATS = 4;
let crowd, firefox, speakers, page;

let seated = [];
/** Sockets take the seats that are left beside `pages`, and the space gets no more. */
const fill = async (id, pages = 0) => {
  while (seated.length + pages < SEATS) {
    const one = await sit(id, seated.length);
    if (one.status !== 200) throw new Error(`a seat was refused with ${one.status}`);
    seated.push(one);
  }
  await until("all inside", async () => await inside(id) === SEATS);
  await house.api("PUT", `/spaces/${id}/door`, { limit: SEATS });
  await until("a storm", async () => (await serving(id)).mode === "storm");
};
const inside = async (id) => (await house.api("GET", `/spaces/${id}/door`)).inside;
/** A page that hears a space of its own, holds the right to come back, and has taken the last seat but those of sockets. */
const hearing = async (id) => {
  await page?.context().close();
  empty();
  await space(id);
  watched.page = page = await open(crowd, url(id));
  await listen(page);
  await plays(page);
  await fill(id, 1);
  await until("the right to come back", () => page.evaluate(() => globalThis.hustings.door.query().startsWith("t=")));
};
/** Somebody who never was here, from a prefix of its own, is not let in. */
const strangersWait = async (id) => {
  const { status, leave } = await sit(id, 99);
  leave();
  if (status !== 503) throw new Error(`a stranger got ${status}: there is no storm`);
};
/**
 * A browser that lets nothing sound before a press. Whatever a test evaluates in a page counts as a press to Chromium, so that its own
 * rule cannot be tried: this is the same rule, for presses alone.
 */
const openSilent = async (browser, address) => {
  const context = await browser.newContext({ viewport: DESK });
  await context.addInitScript(() => {
    let pressed = false;
    for (const kind of ["pointerdown", "keydown", "click"]) addEventListener(kind, ({ isTrusted }) => { pressed ||= isTrusted; }, { capture: true });
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = function refused() {
      return pressed ? play.call(this) : Promise.reject(new DOMException("play() without a press", "NotAllowedError"));
    };
  });
  const made = await context.newPage();
  made.setDefaultTimeout(8000);
  watchErrors(made, errors);
  await made.goto(address);
  return made;
};
/** A space of its own, with hold music: a door remembers for minutes how many of a prefix were inside, and lets as many come back. */
const space = async (id) => {
  await house.api("POST", "/spaces", { id, title: "A hearing that many want to hear" });
  await house.api("POST", `/spaces/${id}/open`);
  await until("the music", async () => (await fetch(`${url(id)}/live.ogg`, { method: "HEAD" })).ok);
};
/** Those before the page go, one after the other. */
const empty = () => { for (const one of seated.splice(0)) one.leave(); };
await test("the short sum is the same in the page's worker and in the server", () => {
  const { hashes, puzzles } = JSON.parse(readFileSync(new URL("../../crates/control/src/gate/puzzle_vectors.json", import.meta.url), "utf8"));
  for (const { challenge, part, nonce, value: wanted } of hashes) {
    const message = new Int32Array(16);
    const bytes = Buffer.from(challenge, "hex");
    for (let i = 0; i < 4; i += 1) message[i] = bytes.readInt32LE(i * 4);
    message[4] = part;
    message[5] = nonce;
    if (value(message) !== wanted) throw new Error(`${challenge} ${part} ${nonce}: ${value(message)}, not ${wanted}`);
  }
  for (const { puzzle, tries, from, solution } of puzzles) if (solve(puzzle, tries, from, () => 0) !== solution) throw new Error(`another solution of ${puzzle}`);
});
await test("a node with few seats, and browsers", async () => {
  await house.start("--demo");
  crowd = await openChromium();
  speakers = await openSpeakers();
  firefox = await openFirefox(speakers.env);
  await until("the demo's sound", async () => (await fetch(`${url()}/live.ogg`, { method: "HEAD" })).ok);
}, { needed: true });

await test("in calm a press plays at once, and the page gets the right to come back", async () => {
  await space("calm");
  watched.page = page = await open(crowd, url("calm"));
  await listen(page);
  await plays(page);
  if ((await doorOf(page)).state !== "in") throw new Error("the door does not know");
  await until("the right to come back", () => page.evaluate(() => { dispatchEvent(new PageTransitionEvent("pagehide")); return Boolean(JSON.parse(sessionStorage.getItem("hustings-back-calm"))?.token); }));
  await page.context().close();
  await until("an empty room", async () => await house.metric("hustings_listeners") === 0);
}, { needed: true });

await test("seats are taken: a page without a press goes to the line, and its place is a number", async () => {
  await fill("demo");
  watched.page = page = await open(crowd, url());
  await inLine(page);
  await words(page, "#arm", "Sound on my turn");
  await words(page, ".rail .now", "you are in line");
  await until("the title", async () => (await page.title()).startsWith("You are in line"));
  await look(page, "line");
}, { needed: true });
await test("a reload keeps the place", async () => {
  const before = await page.evaluate(() => localStorage.getItem("hustings-line-demo"));
  const { line: { position } } = await doorOf(page);
  if (!before) throw new Error("no place is kept");
  await page.reload();
  await inLine(page);
  const { line: after } = await doorOf(page);
  if (JSON.parse(await page.evaluate(() => localStorage.getItem("hustings-line-demo"))).token !== JSON.parse(before).token || after.position > position) throw new Error(`from ${position} to ${after.position}`);
});
await test("a second tab has a place of its own", async () => {
  const second = await page.context().newPage();
  // The first one is asleep, or has other work: it says nothing to anybody.
  const busy = page.evaluate(() => { for (const end = Date.now() + 3000; Date.now() < end;); });
  await second.goto(url());
  await inLine(second);
  await busy;
  const [mine, other] = await Promise.all([page, second].map(async (of) => of.evaluate(() => sessionStorage.getItem("hustings-line-demo") ?? localStorage.getItem("hustings-line-demo"))));
  if (!mine || !other || JSON.parse(mine).token === JSON.parse(other).token) throw new Error("both tabs have one place");
  await second.close();
});
await test("a press plays quiet music from a file that caches keep, and the line goes on", async () => {
  const asked = [];
  page.on("response", (response) => { if (/hold\./.test(response.url())) asked.push(response.headers()["cache-control"]); });
  await page.click("#arm");
  await words(page, "#arm", "It starts by itself");
  await until("the music", () => page.evaluate(() => /hold\.[0-9a-f]+\.ogg$/.test(globalThis.hustings.audio.src) && globalThis.hustings.audio.currentTime > 0.5));
  if (!asked.length || asked.some((one) => !/max-age=31536000, immutable/.test(one))) throw new Error(`kept as ${asked}`);
  await inLine(page);
});
await test("seats come free: from line to sound by itself, and few questions were asked", async () => {
  let questions = 0;
  page.on("request", (request) => { if (/knock|serving/.test(request.url())) questions += 1; });
  empty();
  await plays(page, 40000);
  await until("the page of the space", async () => !await page.locator("#line").count() && await page.locator("#listen").isVisible());
  await words(page, "#listen", "You are listening");
  if (questions > 8) throw new Error(`${questions} questions`);
}, { needed: true });

await test("on the turn without a press the browser is asked for one, and the place is kept", async () => {
  await page.context().close();
  await space("press");
  await fill("press");
  watched.page = page = await openSilent(crowd, url("press"));
  await inLine(page);
  empty();
  await words(page, "#line-h", "Your turn. Press to hear.", 40000);
  await words(page, "#cry", "Your turn");
  if (!(await page.title()).startsWith("Your turn")) throw new Error(await page.title());
  await look(page, "turn");
  await page.click("#arm");
  await plays(page);
  await words(page, "#listen", "Hold music");
});
await test("pausing frees the seat, and the ticket brings it back through a storm", async () => {
  await hearing("pause");
  await page.click("#listen");
  await until("silence", async () => (await doorOf(page)).player === "idle");
  await until("a free seat", async () => await inside("pause") === SEATS - 1);
  await strangersWait("pause");
  const asked = page.waitForRequest((request) => /live\./.test(request.url()));
  await page.click("#listen");
  if (!/[?&]t=[\w-]{80}/.test((await asked).url())) throw new Error((await asked).url());
  await plays(page, 30000);
});
await test("after kill -9 in a storm who was inside is inside again", async () => {
  await hearing("killed");
  const full = Date.now();
  await until("a note of who is inside", () => statSync(join(house.data, "door", "state.json")).mtimeMs > full);
  const back = page.waitForResponse((response) => /live\.\w+\?(.*&)?t=[\w-]{80}/.test(response.url()) && response.ok(), { timeout: 30000 });
  back.catch(() => {});
  await house.kill();
  await house.start("--demo");
  await back;
  const heard = () => page.evaluate(() => globalThis.hustings.audio.currentTime);
  const before = await heard();
  await until("new sound", async () => Math.abs(await heard() - before) > 2);
  await plays(page);
  if (await inside("killed") !== 1) throw new Error(`${await inside("killed")} inside`);
});

await test("without script the waiting page looks again by itself, keeps its place in its address, and plays", async () => {
  await page.context().close();
  empty();
  await space("bare");
  await fill("bare");
  const context = await crowd.newContext({ viewport: DESK, javaScriptEnabled: false });
  watched.page = page = await context.newPage();
  await page.goto(`${url("bare")}/live.ogg`);
  await words(page, "h1", "You are in line. This page lets you in.");
  const content = await page.getAttribute("meta[http-equiv=refresh]", "content");
  const [, seconds, place] = /^(\d+); url=\/s\/bare\/line\?place=([\w-]{80})(?:&looks=\d)?$/.exec(content) ?? [];
  if (!(Number(seconds) >= 3 && Number(seconds) <= 60)) throw new Error(`it refreshes by ${content}`);
  if (!(await page.getAttribute("#again", "href")).includes(place)) throw new Error("its links do not keep the place");
  const answer = await fetch(`${url("bare")}/line?place=${place}`);
  if (!/^\d+; url=/.test(answer.headers.get("refresh") ?? "") || !answer.headers.get("cache-control").includes("no-store")) throw new Error("the head says nothing");
  for (const [size, viewport] of [["360", SMALL], ["1280", LARGE]]) {
    await page.setViewportSize(viewport);
    await page.screenshot({ path: join(shots, `line-noscript-${size}.png`), fullPage: true });
  }
  empty();
  await until("the sound's own player", () => page.locator("audio[controls]").count(), Number(seconds) * 1000 + 10000);
  if (await page.locator("meta[http-equiv=refresh]").count()) throw new Error("a page that plays must not load itself anew");
  if (!/live\.ogg\?t=[\w-]{80}$/.test(await page.getAttribute("audio", "src")) && !/live\.ogg$/.test(await page.getAttribute("audio", "src"))) throw new Error("no ticket");
  await page.focus("audio");
  await until("the sound", async () => {
    if (await page.evaluate(() => document.querySelector("audio").paused)) await page.keyboard.press("Space");
    return page.evaluate(() => document.querySelector("audio").currentTime > 0.3);
  });
  await context.close();
}, { ms: 90000 });
await test("Firefox waits, and plays by itself on its turn", async () => {
  await space("fox");
  await fill("fox");
  const fox = await firefox.newPage();
  await fox.goto(url("fox"));
  await inLine(fox);
  await fox.click("#arm");
  await until("the music", () => fox.evaluate(() => /hold\./.test(globalThis.hustings.audio.src) && globalThis.hustings.audio.currentTime > 0.5));
  empty();
  await plays(fox, 40000);
  await fox.close();
});
await test("before the start a place can be kept, and is used first; a link's ticket leaves the address", async () => {
  await house.api("POST", "/spaces", { id: "soon", title: "It starts in an hour", starts_at: Date.now() + 3600000 });
  watched.page = page = await open(crowd, url("soon"));
  await page.click("#rsvp");
  await until("the place that is kept", () => page.locator("#rsvp-kept").isVisible());
  await words(page, "#rsvp-kept", "A place is kept for you");
  if (await page.locator("#rsvp").isVisible()) throw new Error("the button is still there");
  const ticket = await page.evaluate(() => JSON.parse(localStorage.getItem("hustings-invited-soon")));
  if (!/^[\w-]{80}$/.test(ticket)) throw new Error(`kept: ${ticket}`);
  await look(page, "rsvp");
  await page.reload();
  await until("the place that is kept", () => page.locator("#rsvp-kept").isVisible());
  const { links } = await house.api("POST", "/spaces/soon/tickets", { count: 1 });
  await page.goto("about:blank");
  await page.goto(links[0].replace(/^https?:\/\/[^/]+/, house.public));
  if (page.url().includes("#")) throw new Error(page.url());
  const invited = links[0].split("#t=")[1];
  await until("the link's ticket", () => page.evaluate((token) => localStorage.getItem("hustings-invited-soon") === JSON.stringify(token), invited));
  await house.api("POST", "/spaces/soon/open");
  await until("open doors", () => page.evaluate(() => document.querySelector("#view").dataset.phase === "open"));
  const asked = page.waitForRequest((request) => /live\./.test(request.url()));
  await page.click("#listen");
  if (!(await asked).url().includes(`t=${invited}`)) throw new Error((await asked).url());
  await plays(page);
  await page.context().close();
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });

await finish(crowd, firefox, speakers);
