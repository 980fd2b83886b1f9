// The listener's page by itself: without script, in few bytes, through failures, and as what the system's own keys see.

import { openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { assertSound, decode } from "./sound.mjs";
import { DESK, errors, finish, house, listen, open, tasksOfListeners, test, watched, words } from "./suite.mjs";

/** Bytes on the wire before the sound starts, answers' heads included. */
const BEFORE_SOUND_MAX = 60 * 1024;
/** ms until a page has asked for the right to come back, the server has closed its idle connection for it, and a little. */
const IDLE_MS = 52000;
let crowd, page;
const url = (id) => `${house.public}/s/${id}`;
const plays = (of) => until("the sound", () => of.evaluate(() => [...document.querySelectorAll("audio")].some((one) => !one.paused && one.currentTime > 0.3)));

await test("the server and Chromium start", async () => {
  await house.start("--demo");
  crowd = await openChromium();
  await until("the demo's sound", async () => (await fetch(`${url("demo")}/live.ogg`, { signal: AbortSignal.timeout(500) })).ok);
}, { needed: true });

await test("few bytes come before the sound, and all from one host", async () => {
  const context = await crowd.newContext({ viewport: DESK });
  watched.page = page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  const names = new Map(), bytes = new Map(), foreign = [];
  cdp.on("Network.requestWillBeSent", ({ requestId, request }) => {
    names.set(requestId, request.url);
    if (!request.url.startsWith(house.public) && !/^(blob|data):/.test(request.url)) foreign.push(request.url);
  });
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => bytes.set(requestId, encodedDataLength));
  await page.goto(url("demo"));
  await listen(page);
  await page.waitForLoadState("load");
  const whole = [...names].filter(([, name]) => !/live\.|\/events$/.test(name));
  const missing = whole.filter(([id]) => !bytes.has(id) && !names.get(id).startsWith("blob:"));
  if (missing.length) throw new Error(`not measured: ${missing.map(([, name]) => name)}`);
  const sum = [...bytes.values()].reduce((a, b) => a + b, 0);
  console.log(`    ${sum} bytes in ${bytes.size} answers before the sound`);
  if (bytes.size < 5 || sum > BEFORE_SOUND_MAX) throw new Error(`${sum} bytes: ${[...bytes].map(([id, n]) => `${names.get(id)} ${n}`).join("\n")}`);
  if (foreign.length) throw new Error(foreign.join());
});
await test("the system's keys and its screen know what plays", async () => {
  await page.addInitScript(() => {
    globalThis.keys = {};
    const before = navigator.mediaSession.setActionHandler.bind(navigator.mediaSession);
    navigator.mediaSession.setActionHandler = (name, does) => { globalThis.keys[name] = does; before(name, does); };
  });
  await page.reload();
  await listen(page);
  const told = () => page.evaluate(() => ({ title: navigator.mediaSession.metadata?.title, art: navigator.mediaSession.metadata?.artwork.length, state: navigator.mediaSession.playbackState }));
  const heading = await page.textContent("h1");
  const now = await told();
  if (now.title !== heading || now.state !== "playing" || !now.art) throw new Error(JSON.stringify(now));
  await page.evaluate(() => globalThis.keys.pause());
  await until("the pause", async () => (await told()).state === "paused" && await page.evaluate(() => document.querySelector("audio").paused));
  await page.evaluate(() => globalThis.keys.play());
  await plays(page);
});
/** New sound is heard: the head comes past all that was there when the server ended. */
const goesOn = async (of) => {
  const had = await of.evaluate(() => { const { buffered } = globalThis.hustings.audio; return buffered.length ? buffered.end(buffered.length - 1) : 0; });
  await until("new sound", () => of.evaluate((had) => globalThis.hustings.audio.currentTime > had + 0.5, had));
};
await test("a page that lost its network says so, and comes back by itself", async () => {
  await page.context().setOffline(true);
  // A network that is gone breaks what flows as well; the emulated one only refuses what is new.
  await page.evaluate(() => dispatchEvent(new Event("offline")));
  await house.kill();
  await words(page, "#listen", "You are offline");
  await house.start("--demo");
  await page.context().setOffline(false);
  await goesOn(page);
  await words(page, "#listen", "You are listening");
});
await test("a server that ends just after the sound began is heard again, over the hole in it", async () => {
  const one = await open(crowd, url("demo"));
  await one.click("#listen");
  await plays(one);
  await house.kill();
  await house.start("--demo");
  // A browser that runs dry may stop before the hole begins, with sound left that it does not play.
  await goesOn(one);
  await one.context().close();
});
await test("pages that lost the server come back with growing pauses, and not together", async () => {
  const pages = await Promise.all([0, 1, 2].map(async () => {
    const one = await open(crowd, url("demo"));
    await listen(one);
    return one;
  }));
  const asked = pages.map((one) => {
    const times = [];
    one.on("request", (request) => { if (/live\.(webm|mp4)/.test(request.url())) times.push(Date.now()); });
    return times;
  });
  await house.kill();
  await until("five tries of each", () => asked.every((times) => times.length >= 5), 40000);
  const pauses = asked.map((times) => times.slice(1, 5).map((at, i) => at - times[i]));
  for (const one of pauses) if (one.some((ms) => ms < 200 || ms > 12000)) throw new Error(`pauses of ${one} ms`);
  const last = pauses.map((one) => one.slice(2).reduce((a, b) => a + b, 0)), first = pauses.map((one) => one.slice(0, 2).reduce((a, b) => a + b, 0));
  if (last.reduce((a, b) => a + b, 0) <= first.reduce((a, b) => a + b, 0)) throw new Error(`they do not grow: ${pauses.join(" | ")}`);
  if (new Set(pauses.flat().map((ms) => Math.round(ms / 20))).size < 7) throw new Error(`they are alike: ${pauses.join(" | ")}`);
  await house.start("--demo");
  for (const one of pages) { await plays(one); await one.context().close(); }
});

await test("without script: the countdown asks again, live plays by the browser's own player, so does the replay", async () => {
  await house.api("POST", "/spaces", { id: "plain", title: "Without script", starts_at: Date.now() + 3600000 });
  const context = await crowd.newContext({ viewport: DESK, javaScriptEnabled: false });
  const bare = watched.bare = await context.newPage();
  await bare.goto(url("plain"));
  const refresh = bare.locator("meta[http-equiv=refresh]");
  if (Number(await refresh.getAttribute("content")) !== 30) throw new Error("the countdown does not ask again");
  await words(bare, "#wait", "Starts");
  await house.api("POST", "/spaces/plain/live");
  await bare.reload();
  if (await refresh.count()) throw new Error("a page that plays must not load itself anew");
  const byHand = async () => {
    if (await bare.locator("audio").count() !== 1 || !await bare.locator("audio").isVisible()) throw new Error("there is not one player");
    await bare.focus("audio");
    await bare.keyboard.press("Space");
    await plays(bare);
  };
  await byHand();
  const link = await bare.getAttribute("#listen", "href");
  assertSound(await decode(`${house.public}${link}?burst=short`, 3), 2.9);
  for (const dead of ["#hand", "#volume", "#mic", "[data-do=copy]"]) if (await bare.locator(dead).isVisible()) throw new Error(`${dead} does nothing and is shown`);
  await house.api("POST", "/spaces/plain/end");
  await until("the recording", async () => (await house.api("GET", "/spaces/plain")).recording);
  await bare.goto(url("plain"));
  await words(bare, "h1", "Without script");
  await byHand();
  const told = (await house.api("GET", "/spaces/plain")).recording.millis / 1000;
  const length = await bare.evaluate(() => document.querySelector("audio").duration);
  if (Math.abs(length - told) > 0.2) throw new Error(`it says ${length} s, ${told} s are told`);
  await bare.goto(house.public);
  await words(bare, "#on-now", "On now");
  await bare.goto(`${house.stage}/studio/plain`);
  await words(bare, "#view", "Speaking needs JavaScript");
  await context.close();
});
await test("listeners in Chromium leave no task behind, on connections that brought the page before", async () => {
  await page.context().close();
  await tasksOfListeners(crowd, url("demo"), 6, IDLE_MS);
}, { ms: 100000 });
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });

await finish(crowd);
