// Measures page to ear: from the tick that mixed a sample to the moment Chromium lets it be heard, by MediaSource, at low load.
// The demo's voices pause between turns. Where they begin again is seen in the sizes of the Ogg stream's packets, whose media
// times are exact; when that is heard is seen in the sound the page's element gives out. Last line: ear_ms=N position_ms=N.

import { get } from "node:http";
import { openChromium } from "./browsers.mjs";
import { House, until } from "./house.mjs";

/** Seconds heard, and ms until the player has found its distance. */
const HEAR_S = 40, SETTLE_MS = 12000;
const PROBES = 80;
const RATE = 48000, PACKET_SAMPLES = 960;
/** Packets of a pause are smaller than this, of a voice larger; bytes. */
const QUIET_BYTES = 40, LOUD_BYTES = 60;
/** Packets, and seconds, of a pause at least. */
const PAUSE_PACKETS = 12, PAUSE_S = 0.24;
/** Share of the loudest look that is sound. */
const LOUD = 0.05;
/** Seconds within which a beginning must be heard to be the same one. */
const MATCH_S = 2;

const wall = () => (performance.timeOrigin + performance.now()) / 1000;
const median = (of) => [...of].sort((a, b) => a - b)[of.length >> 1];

/** Ogg pages of `bytes`: {end (s of media time), sizes of packets}; the rest that is not whole. */
const oggPages = (bytes) => {
  const pages = [];
  let at = bytes.indexOf("OggS");
  while (at >= 0 && at + 27 <= bytes.length) {
    const count = bytes[at + 26], lacing = bytes.subarray(at + 27, at + 27 + count);
    const size = 27 + count + lacing.reduce((sum, one) => sum + one, 0);
    if (lacing.length < count || at + size > bytes.length) break;
    const sizes = [];
    let packet = 0;
    for (const one of lacing) { packet += one; if (one < 255) { sizes.push(packet); packet = 0; } }
    pages.push({ end: Number(bytes.readBigInt64LE(at + 6)) / RATE, sizes });
    at += size;
  }
  return { pages: pages.filter((page) => page.end > 0), rest: at < 0 ? Buffer.alloc(0) : bytes.subarray(at) };
};

/** One join: how long after its media time the newest page could be had, in seconds plus the stream's origin. */
const probe = (url) => new Promise((done, failed) => {
  const request = get(url, { agent: false }, (answer) => answer.once("data", (bytes) => {
    const at = wall();
    request.destroy();
    const { pages } = oggPages(bytes);
    if (pages.length) done(at - pages.at(-1).end); else failed(new Error("a first chunk without a page"));
  }));
  request.on("error", failed);
});

/** Media times at which a voice begins after a pause, until `stop` is called. */
const beginnings = (url) => {
  const found = [];
  let rest = Buffer.alloc(0), quiet = 0;
  const request = get(url, { agent: false }, (answer) => answer.on("data", (bytes) => {
    const read = oggPages(Buffer.concat([rest, bytes]));
    rest = Buffer.from(read.rest);
    for (const { end, sizes } of read.pages) {
      sizes.forEach((size, i) => {
        if (size >= LOUD_BYTES && quiet >= PAUSE_PACKETS) found.push(end - (sizes.length - i) * PACKET_SAMPLES / RATE);
        if (size >= LOUD_BYTES) quiet = 0;
        else if (size < QUIET_BYTES) quiet += 1;
      });
    }
  }));
  request.on("error", () => {});
  return { found, stop: () => request.destroy() };
};

/** Loudness in looks of 10 ms with the wall time of each, and where the element says it stands. */
const listenTo = (page, seconds) => page.evaluate(async (wanted) => {
  const now = () => (performance.timeOrigin + performance.now()) / 1000;
  const audio = [...document.querySelectorAll("audio")].find((one) => !one.paused);
  const context = new AudioContext();
  const node = context.createScriptProcessor(512, 1, 1);
  context.createMediaStreamSource(audio.captureStream()).connect(node);
  node.connect(context.destination);
  await context.resume();
  const looks = [], stands = [];
  node.onaudioprocess = ({ inputBuffer }) => {
    // A block is whole when its last sample has been heard: its beginning was that much earlier.
    const ended = now(), block = inputBuffer.getChannelData(0);
    let sum = 0;
    for (const x of block) sum += x * x;
    looks.push([ended - block.length / context.sampleRate, Math.sqrt(sum / block.length)]);
  };
  const end = now() + wanted;
  while (now() < end) {
    stands.push(now() - audio.currentTime);
    await new Promise((go) => setTimeout(go, 100));
  }
  return { looks, stands };
}, seconds);

const heardBeginnings = (looks) => {
  const loud = Math.max(...looks.map(([, level]) => level)) * LOUD;
  const found = [];
  let since = looks[0][0];
  for (const [at, level] of looks) {
    if (level < loud) continue;
    if (at - since >= PAUSE_S) found.push(at);
    since = at;
  }
  return found;
};

const house = await House.on(process.env.HUSTINGS ?? "target/release/hustings");
let browser;
try {
  await house.start("--demo");
  browser = await openChromium();
  const page = await (await browser.newContext()).newPage();
  await until("the demo", async () => (await fetch(`${house.public}/s/demo/live.ogg`, { method: "HEAD" })).ok);
  await page.goto(`${house.public}/s/demo`);
  await page.click("#listen");
  await until("the sound", () => page.evaluate(() => [...document.querySelectorAll("audio")].some((one) => !one.paused && one.currentTime > 0)));
  await new Promise((go) => setTimeout(go, SETTLE_MS));
  const stream = beginnings(`${house.public}/s/demo/live.ogg`);
  const { looks, stands } = await listenTo(page, HEAR_S);
  stream.stop();
  const offsets = [];
  for (let i = 0; i < PROBES; i += 1) {
    offsets.push(await probe(`${house.public}/s/demo/live.ogg?burst=short`));
    await new Promise((go) => setTimeout(go, 7 + (i % 13)));
  }
  // The earliest of many looks came just after a page was cut: then its last sample had just been mixed.
  const origin = Math.min(...offsets);
  const heard = heardBeginnings(looks);
  const delays = stream.found.flatMap((media) => {
    const at = heard.find((one) => one > origin + media && one < origin + media + MATCH_S);
    return at ? [at - origin - media] : [];
  });
  if (delays.length < 3) throw new Error(`only ${delays.length} of ${stream.found.length} beginnings were heard (${heard.length} heard at all)`);
  const ms = (seconds) => Math.round(seconds * 1000);
  console.log(`${delays.length} beginnings heard after ${delays.map(ms).join(", ")} ms; pages could be had ${ms(Math.max(...offsets) - origin)} ms apart`);
  console.log(`ear_ms=${ms(median(delays))} position_ms=${ms(median(stands) - origin)}`);
} finally {
  await browser?.close();
  await house.kill();
  house.clean();
}
