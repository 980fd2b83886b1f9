// The door in browsers, beside what line.mjs shows: the draw, a full space, a place given away, the short sum, the line without
// script, the stage in a storm, and what is shed under load.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { openChromium, openFirefox, openSpeakers } from "./browsers.mjs";
import { until } from "./house.mjs";
import { doorOf, inLine, look, plays, serving, sit, standing, url } from "./seats.mjs";
import { errors, finish, folder, house, listen, open, openStudio, takeSeat, test, watched, words } from "./suite.mjs";
import { HOST_TONES, writeTones } from "./sound.mjs";

/** Listeners that one space may have here. */
const SEATS = 4;
/** Seats of the node in the last tests: so many taken shed side features, and do not open the line. */
const FEW = 16, MANY_OF_FEW = 14;
/** Prefixes of sockets, each of its own. */
let prefix = 0;
const rooms = {};
let crowd, speakers, firefox, page;

const socketIn = async (id, right) => {
  const one = await sit(id, prefix += 1, right);
  if (one.status !== 200) { one.leave(); throw new Error(`a seat was refused with ${one.status}`); }
  (rooms[id] ??= []).push(one);
};
/** Sockets take the seats that are left beside `pages`, and the space gets no more. */
const fill = async (id, pages = 0) => {
  for (let taken = pages; taken < SEATS; taken += 1) await socketIn(id);
  await until("all inside", async () => (await standing(id)).inside === SEATS);
  await house.api("PUT", `/spaces/${id}/door`, { limit: SEATS });
  await until("a storm", async () => (await serving(id)).mode === "storm");
};
const free = (id, count = Infinity) => { for (const one of rooms[id].splice(0, count)) one.leave(); };
const space = async (id, more = {}) => {
  const made = await house.api("POST", "/spaces", { id, title: "A hearing that many want to hear", ...more });
  if (!more.starts_at) await house.api("POST", `/spaces/${id}/open`);
  if (!more.starts_at) await until("the music", async () => (await fetch(`${url(id)}/live.ogg`, { method: "HEAD" })).ok);
  return made;
};
const knock = async (id, body = {}) => (await fetch(`${url(id)}/knock`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })).json();
const shut = async (...pages) => { for (const one of pages) await one.context().close(); };

await test("a node and browsers", async () => {
  await house.start("--demo");
  writeTones(join(folder, "host.wav"), HOST_TONES);
  [crowd, speakers] = await Promise.all([openChromium(join(folder, "host.wav")), openSpeakers()]);
  firefox = await openFirefox(speakers.env);
}, { needed: true, ms: 90000 });

await test("who waits for an announced start takes part in a draw, which goes by lot and not by arrival", async () => {
  await space("drawn", { starts_at: Date.now() + 3600000 });
  watched.page = page = await open(crowd, url("drawn"));
  await page.click("#listen");
  // Nobody may come in yet: all that come have to wait.
  await house.api("PUT", "/spaces/drawn/door", { paused: true });
  await house.api("POST", "/spaces/drawn/open");
  await until("a storm, and the draw's time", async () => { const { mode, draw_ms: ms } = await serving("drawn"); return mode === "storm" && ms <= 10000; });
  const early = [];
  for (let i = 0; i < 12; i += 1) early.push(await knock("drawn"));
  if (!early.every((one) => one.verdict === "wait" && one.draw_ms > 0 && one.draw_ms <= 10000)) throw new Error(JSON.stringify(early[0]));
  await inLine(page);
  await words(page, "#line-wait", "You take part in the draw.");
  await words(page, "#line-how", "Places are drawn by lot.");
  if (await page.locator("#line-place").textContent() !== "–") throw new Error("a place is told before the draw");
  const plain = await (await fetch(`${url("drawn")}/line`)).text();
  if (!plain.includes("You take part in the draw.")) throw new Error("without script nobody hears of it");
  await look(page, "draw");
  await until("the draw", async () => !("draw_ms" in await serving("drawn")));
  const late = await knock("drawn");
  const drawn = await Promise.all(early.map(async ({ place }) => (await knock("drawn", { show: place })).position));
  if (drawn.every((one, i) => !i || drawn[i - 1] <= one)) throw new Error(`the places are in order of arrival: ${drawn}`);
  if (drawn.some((one) => one > late.position)) throw new Error(`${late.position} came later than ${drawn}`);
  await house.api("PUT", "/spaces/drawn/door", { limit: 100 });
  await plays(page, 30000);
  await shut(page);
}, { ms: 60000 });

await test("when no seat comes free for a minute the page says so, keeps the place, and plays when one does", async () => {
  await space("full");
  await fill("full");
  page = await (await crowd.newContext()).newPage();
  // The page's own clock runs ahead: a minute of it need not be waited for.
  await page.clock.install();
  watched.page = page;
  await page.goto(url("full"));
  await inLine(page);
  await page.click("#arm");
  await until("the full space", async () => {
    await page.clock.fastForward(15000);
    return (await page.locator("#line-h").textContent()).includes("This space is full.");
  });
  await words(page, "#line-full", "No seats come free at the moment. Your place is kept.");
  if (!(await page.title()).startsWith("Full: ")) throw new Error(await page.title());
  await look(page, "full");
  free("full");
  await until("the sound", async () => {
    await page.clock.fastForward(2000);
    return page.evaluate(() => globalThis.hustings.door.state === "in");
  });
  await shut(page);
});

await test("a place that is given away is gone, the next comes in, and the studio says how many wait", async () => {
  const { host_link: link } = await space("given");
  await fill("given");
  const studio = await openStudio(crowd, link);
  const [first, second] = [await open(crowd, url("given")), await open(crowd, url("given"))];
  Object.assign(watched, { first, second, studio });
  await inLine(first);
  await inLine(second);
  await words(studio, "#in-line", "2 waiting");
  await first.click("#line-leave");
  await words(first, "#toast", "Your place goes to the next.");
  await until("the page of the space", () => first.locator("#listen").isVisible());
  if (await first.evaluate(() => localStorage.getItem("hustings-line-given") ?? sessionStorage.getItem("hustings-line-given"))) throw new Error("the place is still kept");
  await second.click("#arm");
  // One seat is kept for who has just left it, and one is called for the place that nobody will use: the third is enough.
  free("given", 3);
  await plays(second, 40000);
  if ((await doorOf(first)).state !== "out") throw new Error("the place was used all the same");
  await until("nobody in line", async () => { const { issued, called } = await standing("given"); return issued === called; });
  await until("no word of a line", async () => !await studio.locator("#in-line").isVisible());
  await shut(first, second, studio);
  for (const name of ["first", "second", "studio"]) delete watched[name];
}, { ms: 90000 });

/** Notes what the page asks of the door. */
const note = () => {
  const { fetch } = globalThis;
  globalThis.told = [];
  globalThis.fetch = (...asked) => { if (asked[1]?.body) globalThis.told.push(asked[1].body); return fetch(...asked); };
};
/** Milliseconds that a solution says it took. */
const tookMs = (solution) => Buffer.from(solution, "base64url").readUInt32LE(32);
/** The page's own worker and the hardest puzzle that a door ever gives. */
const hardest = (of) => of.evaluate(() => new Promise((done, failed) => {
  const { name } = performance.getEntriesByType("resource").find((one) => one.name.includes("worker-effort")) ?? {};
  const worker = new Worker(name, { type: "module" });
  worker.addEventListener("message", ({ data }) => { worker.terminate(); done(data); });
  worker.addEventListener("error", failed);
  worker.postMessage({ puzzle: "A".repeat(80), tries: 600000 });
}));
const solves = async (of, name, id) => {
  await inLine(of);
  await of.click("#arm");
  const sent = await until("a solution", () => of.evaluate(() => globalThis.told.map((body) => JSON.parse(body)).find((body) => body.solution)));
  if (!(tookMs(sent.solution) < 60000)) throw new Error(`it took ${tookMs(sent.solution)} ms`);
  free(id, 2);
  await until("a seat by computing", async () => (await standing(id)).effort === 1, 30000);
  await plays(of);
  console.log(`# ${name}: a first puzzle took ${tookMs(sent.solution)} ms, the hardest ${tookMs(await hardest(of))} ms`);
};
/** A space in a storm, with so many in line that waiting takes longer than a sum. */
const crowded = async (id) => {
  await space(id);
  await fill(id);
  for (let i = 0; i < 40; i += 1) await knock(id);
};
await test("Chromium's worker solves a puzzle of a real door, and comes in by it", async () => {
  await crowded("sum");
  page = await (await crowd.newContext()).newPage();
  watched.page = page;
  await page.addInitScript(note);
  await page.goto(url("sum"));
  await solves(page, "Chromium", "sum");
  await shut(page);
});
await test("Firefox's worker solves a puzzle of a real door, and comes in by it", async () => {
  await crowded("foxsum");
  const fox = await firefox.newPage();
  await fox.evaluateOnNewDocument(note);
  await fox.goto(url("foxsum"));
  await solves(fox, "Firefox", "foxsum");
  await fox.close();
});

await test("axe finds nothing on the page for those without script, in line and on the turn", async () => {
  await space("bare");
  await fill("bare");
  watched.page = page = await open(crowd, `${url("bare")}/line`);
  await words(page, "h1", "You are in line. This page lets you in.");
  const [seconds] = /^\d+/.exec(await page.getAttribute("meta[http-equiv=refresh]", "content"));
  if (Number(seconds) > 7) throw new Error(`the first look comes after ${seconds} s, though nobody knows how long it takes`);
  // That it loads itself anew is what it is for: an event in real time, with a link that does the same by hand. It is looked at
  // between two of its looks.
  await page.route("**/line?*", (route) => route.fulfill({ status: 204 }));
  await look(page, "line-bare", ["meta-refresh"]);
  await page.unroute("**/line?*");
  const again = await page.getAttribute("#again", "href");
  free("bare");
  await until("the turn", async () => { await page.goto(new URL(again, house.public).href); return page.locator("audio[controls]").count(); });
  await look(page, "line-bare-turn");
  await shut(page);
});
/** How loud half a second is that a sound device was given. */
const heardBy = ({ env }) => {
  const raw = execFileSync("ffmpeg", ["-nostdin", "-v", "error", "-f", "pulse", "-i", "@DEFAULT_MONITOR@", "-t", "0.5", "-f", "f32le", "-ac", "1", "-"], { env: { ...process.env, ...env }, timeout: 8000, maxBuffer: 1 << 24 });
  let sum = 0;
  for (let at = 0; at + 4 <= raw.length; at += 4) sum += raw.readFloatLE(at) ** 2;
  return Math.sqrt(sum / Math.max(1, raw.length / 4));
};
await test("Firefox without script goes from the link to the line to the sound by itself", async () => {
  await space("refresh");
  await fill("refresh");
  const own = await openSpeakers();
  const bare = await openFirefox(own.env, { "javascript.enabled": false });
  try {
    const fox = await bare.newPage();
    await fox.goto(`${url("refresh")}/live.ogg`);
    await until("the line", () => /\/line\?place=[\w-]{80}/.test(fox.url()));
    free("refresh");
    // It is a browser without script: what it plays is heard where it would sound.
    await until("the sound", () => heardBy(own) > 0.001, 40000);
    await until("a seat", async () => (await standing("refresh")).inside === 1);
  } finally {
    await bare.close().catch(() => {});
    own.close();
  }
}, { ms: 70000 });
await test("a listener who is called to the stage in a storm never loses the sound, and comes back past the line", async () => {
  const { host_link: link } = await space("called");
  const host = await openStudio(crowd, link);
  watched.host = host;
  await takeSeat(host);
  await house.api("POST", "/spaces/called/live");
  await host.click("#mic");
  await words(host, "#mic-state", "You are on air");
  watched.page = page = await open(crowd, `${url("called")}?raw=1`);
  await listen(page);
  await plays(page);
  await fill("called", 1);
  await until("the right to come back", () => page.evaluate(() => globalThis.hustings.door.query().startsWith("t=")));
  await page.click("#hand");
  await page.fill("#hand-name", "Resident");
  await page.click("dialog button[type=submit]");
  await host.click("#hand-list button:has-text('Accept')");
  await page.evaluate(() => {
    // The longest time in which no element of the page plays anything.
    let quiet = 0;
    globalThis.longest = 0;
    const last = new Map();
    globalThis.watching = setInterval(() => {
      let moves = false;
      for (const audio of document.querySelectorAll("audio")) {
        if (!audio.paused && audio.currentTime !== last.get(audio)) moves = true;
        last.set(audio, audio.currentTime);
      }
      quiet = moves ? 0 : quiet + 0.1;
      globalThis.longest = Math.max(globalThis.longest, quiet);
    }, 100);
  });
  await page.click("#news button:has-text('Open my microphone')");
  await words(page, "#mic-state", "You are muted");
  await page.click("#mic");
  await words(page, "#mic-state", "You are on air");
  await until("the free seat", async () => (await standing("called")).inside === SEATS - 1);
  const stranger = await sit("called", prefix += 1);
  stranger.leave();
  if (stranger.status !== 503) throw new Error(`a stranger got ${stranger.status}: there is no storm`);
  await page.click("#deck-does button:has-text('Leave the stage')");
  await plays(page);
  const longest = await page.evaluate(() => globalThis.longest);
  if (longest > 1.5) throw new Error(`nothing played for ${longest.toFixed(1)} s`);
  await shut(page, host);
  delete watched.host;
});

await test("side features are shed: names come from state.json, of reactions few count, and all comes back", async () => {
  for (const id of Object.keys(rooms)) free(id);
  await house.kill();
  await house.start("--demo", "--seats", String(FEW));
  await until("the demo's sound", async () => (await fetch(`${url()}/live.ogg`, { method: "HEAD" })).ok);
  await space("others");
  const { links } = await house.api("POST", "/spaces/others/tickets", { count: MANY_OF_FEW });
  watched.page = page = await open(crowd, "about:blank");
  const asked = { events: 0, state: 0 };
  page.on("request", (request) => { for (const name of Object.keys(asked)) if (request.url().includes(`/demo/${name}`)) asked[name] += 1; });
  await page.goto(url());
  await until("events", () => asked.events === 1);
  for (const link of links) await until("a seat", async () => { await socketIn("others", `&t=${link.split("#t=")[1]}`); return true; });
  await until("the second step", async () => await house.metric("hustings_ladder_step") === 2);
  await words(page, "body", "Names and hands are updated every 5 seconds for now, so that the sound has room.");
  await until("looks at state.json", () => asked.state >= 2);
  const before = asked.events;
  for (let press = 0; press < 8; press += 1) {
    const sent = page.waitForResponse((response) => response.url().includes("/reactions"));
    await page.click("[data-react=applaud]");
    await sent;
    // As quick as a finger is believed.
    await page.waitForTimeout(520);
  }
  await words(page, "[data-react=applaud] .n", "2");
  if (asked.events !== before) throw new Error("it asked for events that are shed");
  free("others");
  await until("events again", () => asked.events > before, 40000);
  await until("no banner", async () => !(await page.locator("body").textContent()).includes("are updated every"));
  await shut(page);
}, { ms: 90000 });
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });

await finish(crowd, firefox, speakers);
