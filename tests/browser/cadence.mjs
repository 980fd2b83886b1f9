// Nobody hears the cadence change: a tone is heard while the cadence goes from 100 ms to 2 s and back, sample by sample, by our
// own player (WebM and MP4) and by a plain sound element; and a player that does not follow what is announced breaks.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hear, openChromium, openFirefox, openSpeakers } from "./browsers.mjs";
import { until } from "./house.mjs";
import { assertSteady, steadiness, writeTone } from "./sound.mjs";
import { errors, finish, folder, house, listen, test, watched } from "./suite.mjs";

/** Hz of the tone, and seconds of the loop: whole waves, so that it has no seam. */
const TONE_HZ = 440, LOOP_S = 5;
/** ms: the cadence that everybody is taken to. */
const WIDE_MS = 2000;
/** Seconds that are heard before it widens, at its widest, and after it has come back. */
const BEFORE_S = 3, WIDE_S = 6, AFTER_S = 6;
/** ms for each step of the way: widening by 1.9 s at 0.05 takes 38 s, and the announcement comes before. */
const HALF_MS = 30000;
/** ms that the space sounds before anybody listens. */
const OPEN_MS = 15000;

const ways = { "our player": "", "our player with MP4": "?format=mp4", "a plain sound element": "?plain" };
const pages = {};
let crowd, firefox, speakers, deaf;

/** Records every sample that the page's sound element plays from here on, in the element's own order: nothing of it is lost
 * when the machine is busy, for the recorder pulls. Whether it waits for sound is counted. */
const tape = (page) => page.evaluate(async () => {
  const audio = [...document.querySelectorAll("audio")].find((one) => !one.paused);
  const context = new AudioContext({ sampleRate: 48000 });
  const code = `registerProcessor("tape", class extends AudioWorkletProcessor {
    block = new Float32Array(4096); at = 0;
    process([[samples]]) {
      this.block.set(samples ?? new Float32Array(128), this.at);
      this.at += 128;
      if (this.at === 4096) { this.port.postMessage(this.block.slice()); this.at = 0; }
      return true;
    } });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const node = new AudioWorkletNode(context, "tape");
  window.tape = { blocks: [], waits: 0, rates: new Set(), audio };
  node.port.onmessage = ({ data }) => window.tape.blocks.push(data);
  audio.addEventListener("waiting", () => { window.tape.waits += 1; });
  audio.addEventListener("ratechange", () => window.tape.rates.add(audio.playbackRate));
  context.createMediaElementSource(audio).connect(node);
  node.connect(context.destination);
  await context.resume();
});
const taped = async (page) => {
  const { bytes, waits, rates } = await page.evaluate(() => {
    const { blocks, waits, rates } = window.tape;
    const all = new Int16Array(blocks.length * 4096);
    blocks.forEach((block, i) => block.forEach((x, j) => { all[i * 4096 + j] = Math.max(-1, Math.min(1, x)) * 32767; }));
    const raw = new Uint8Array(all.buffer);
    let text = "";
    for (let i = 0; i < raw.length; i += 8192) text += String.fromCharCode(...raw.subarray(i, i + 8192));
    return { bytes: btoa(text), waits, rates: [...rates] };
  });
  const raw = Buffer.from(bytes, "base64");
  return { rate: 48000, pcm: Float32Array.from({ length: raw.length >> 1 }, (_, i) => raw.readInt16LE(i * 2) / 32768), waits, rates };
};
const asked = [];
const tune = async (query, change = () => {}) => {
  const context = await crowd.newContext({ bypassCSP: true });
  const page = await context.newPage();
  page.on("request", (request) => { if (request.url().includes("/live.")) asked.push(request.url()); });
  await change(page);
  await page.goto(`${house.public}/s/tone${query}`);
  await listen(page);
  return page;
};
const bounds = (min_ms, max_ms) => house.api("PUT", "/cadence", { min_ms, max_ms });
const used = async () => 1000 * await house.metric("hustings_cadence_seconds");
const store = (page) => page.evaluate(() => window.tape.audio.buffered.end(window.tape.audio.buffered.length - 1) - window.tape.audio.currentTime);
const heardFor = (seconds) => {
  const at = (page) => page.evaluate(() => window.tape.blocks.length * 4096 / 48000);
  return Promise.all(Object.values(pages).map(async (page) => {
    const end = await at(page) + seconds;
    await until(`${seconds} s more`, async () => await at(page) >= end, (seconds + 10) * 1000);
  }));
};

await test("the server starts on an empty folder", () => house.start("--demo"), { needed: true });
await test("a space whose hold music is one tone opens", async () => {
  const wav = join(folder, "tone.wav");
  writeTone(wav, TONE_HZ, LOOP_S);
  await house.api("POST", "/spaces", { id: "tone", title: "One tone" });
  const put = await fetch(`${house.stage}/api/v1/spaces/tone/hold-music`, { method: "PUT", headers: { authorization: `Bearer ${house.token}`, "content-type": "application/octet-stream" }, body: readFileSync(wav) });
  if (!put.ok) throw new Error(`${put.status} ${await put.text()}`);
  await house.api("POST", "/spaces/tone/open");
  await until("the sound", async () => (await fetch(`${house.public}/s/tone/live.ogg`, { signal: AbortSignal.timeout(500) })).ok);
  // A plain element wants so much of it at once that the space must have sounded for a while.
  await new Promise((go) => setTimeout(go, OPEN_MS));
}, { needed: true });
await test("each way is listened to in Chromium", async () => {
  crowd = await openChromium();
  for (const [way, query] of Object.entries(ways)) watched[way] = pages[way] = await tune(query);
  deaf = await tune("", (page) => page.route(/player[^/]*\.js/, async (route) => {
    const answer = await route.fetch();
    const text = await answer.text();
    const changed = text.replace(/this\.#cadence = Math\.min\(/, "void Math.min(");
    if (changed === text) throw new Error("the player has no line that follows the cadence");
    await route.fulfill({ response: answer, body: changed });
  }));
  if (!asked.some((url) => url.includes("/live.mp4")) || !asked.some((url) => url.includes("/live.ogg"))) throw new Error(`asked were ${asked}`);
}, { needed: true });
await test("before, the cadence is short", async () => {
  // A machine that was held up while the browsers started widens it for a while.
  await until("the short cadence", async () => await used() < 110, 30000);
  for (const page of [...Object.values(pages), deaf]) await tape(page);
  await heardFor(BEFORE_S);
  for (const way of ["our player", "our player with MP4"]) if (await store(pages[way]) > 1) throw new Error(`${way} holds ${await store(pages[way])} s`);
});
await test("the cadence widens, and is announced before", async () => {
  const told = await bounds(WIDE_MS, WIDE_MS);
  if (told.announced_ms > 500) throw new Error(JSON.stringify(told));
  await until("a wider word than deed", async () => (await house.api("GET", "/cadence")).announced_ms > await used() + 50, 5000);
  await until("half of the way", async () => await used() > WIDE_MS / 2, HALF_MS);
});
await test("the cadence is as wide as it gets", async () => {
  await until("all of the way", async () => await used() >= WIDE_MS, HALF_MS);
  await heardFor(WIDE_S);
});
await test("it comes back", async () => {
  await bounds(100, 2000);
  await until("the short cadence", async () => await used() < 110, 30000);
  await heardFor(AFTER_S);
});
for (const way of Object.keys(ways)) {
  await test(`nothing of it was heard: ${way}`, async () => {
    const sound = await taped(pages[way]);
    console.log(`    ${JSON.stringify({ ...steadiness(sound, TONE_HZ), waits: sound.waits, rates: sound.rates })}`);
    writeFileSync(join(process.env.SHOTS ?? "target/shots", `${way.replaceAll(" ", "-")}.f32`), Buffer.from(sound.pcm.buffer));
    assertSteady(sound, TONE_HZ, BEFORE_S + 40 + WIDE_S + AFTER_S);
    if (sound.waits) throw new Error(`it waited ${sound.waits} times`);
    if (way !== "a plain sound element" && !sound.rates.some((rate) => rate < 1 && rate >= 0.95)) throw new Error(`it did not stretch: ${sound.rates}`);
    if (sound.rates.some((rate) => rate > 1.05)) throw new Error(`it hurried: ${sound.rates}`);
  });
}
await test("a player that does not follow the announcement breaks, and this test hears it", async () => {
  const sound = await taped(deaf);
  const { silentMs } = steadiness(sound, TONE_HZ);
  console.log(`    ${silentMs} ms of silence, waited ${sound.waits} times`);
  if (silentMs < 100) throw new Error(`its longest silence is ${silentMs} ms`);
});
for (const query of ["", "?format=mp4"]) {
  await test(`the plates live with the levels in the stream${query && `: ${query}`}`, async () => {
    for (const page of [...Object.values(pages), deaf]) if (!page.isClosed()) await page.close();
    const context = await crowd.newContext();
    const page = await context.newPage();
    await page.goto(`${house.public}/s/demo${query}`);
    await listen(page);
    // Rosters come in the stream once in 2 s at most, three times in all; levels some four times a second, of which a busy page
    // tells several at once. How often a plate moves is a matter of who talks how.
    const { told, moves } = await page.evaluate((ms) => new Promise((done) => {
      let told = 0, moves = 0;
      globalThis.hustings.player.addEventListener("roster", () => { told += 1; });
      const watch = new MutationObserver(() => { moves += 1; });
      watch.observe(document.querySelector("#plates"), { subtree: true, attributes: true, attributeFilter: ["class"] });
      setTimeout(() => done({ told, moves }), ms);
    }), 6000);
    console.log(`    told ${told} times in 6 s, moved ${moves} times`);
    if (told < 6 || moves < 4) throw new Error(`told ${told} times in 6 s, moved ${moves} times`);
    await context.close();
  });
}
await test("Firefox hears the same space by its own way", async () => {
  speakers = await openSpeakers();
  firefox = await openFirefox(speakers.env);
  for (const query of ["", "?plain"]) {
    const page = await firefox.newPage();
    await page.goto(`${house.public}/s/tone${query}`);
    await listen(page);
    const sound = await hear(page, 3);
    const { silentMs, share } = steadiness(sound, TONE_HZ);
    if (silentMs >= 500 || share < 0.8) throw new Error(`${query}: ${silentMs} ms of silence, ${share} of it is the tone`);
    await page.close();
  }
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });
await finish(crowd, firefox, speakers);
