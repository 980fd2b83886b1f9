// A speaker on a bad network: loss, datagrams out of order, a network that dies and comes back, a server that is killed.
// All the speaker's media goes through a relay of the test's own; the sound is judged where listeners get it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { HOST_TONES, assertTones, decode, rms, stretches, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, listen, open, openStudio, takeSeat, test, unblock, watched } from "./suite.mjs";
import { Relay, watchPages } from "./udp.mjs";

/** s from a dead network to a stage without that speaker. */
const GONE_S = 1;
/** ms by which the relay's own timers may be late where its network is judged. */
const RELAY_LATE_MS = 40;
/** ms in which the machine has a window of ten seconds for the relay. */
const WINDOW_MS = 70000;
const live = `${house.public}/s/relay/live.ogg?burst=short`;
let relay, browser, host, listener, space;

const person = async () => (await house.api("GET", "/spaces/relay/studio.json")).people.find((one) => one.seat !== "none");
const says = () => host.evaluate(() => document.querySelector("#mic-state").textContent);
const toldToListeners = () => listener.evaluate(() => /connection lost, seat is kept/i.test(document.body.innerText));
const seatLeft = async () => {
  const log = JSON.stringify(await house.api("GET", "/spaces/relay/log"));
  if (!log.includes('"seat-taken"')) throw new Error(`the log does not tell of seats: ${log.slice(0, 300)}`);
  return log.includes('"seat-left"');
};
const tonesAgain = (share) => until("the tones", async () => { assertTones(await decode(live, 4), HOST_TONES, 1.5, share); return true; }, 30000);

await test("the server tells the relay's address as its own, a host speaks through it", async () => {
  writeTones(join(folder, "host.wav"), HOST_TONES);
  relay = await Relay.to(house.media);
  [browser] = await Promise.all([openChromium(join(folder, "host.wav")), house.start("--media-public", `127.0.0.1:${relay.port}`)]);
  space = await house.api("POST", "/spaces", { id: "relay", title: "A bad network" });
  watched.host = host = await openStudio(browser, space.host_link);
  await host.click("#doors");
  await takeSeat(host);
  await house.api("POST", "/spaces/relay/live");
  await host.click("#mic");
  await until("on air", async () => (await says()) === "You are on air");
  watched.listener = listener = await open(browser, `${house.public}/s/relay`);
  await listen(listener);
  await tonesAgain();
  if (!relay.counts.passed) throw new Error("nothing went through the relay");
}, { needed: true });
await test("a tenth lost, a twentieth out of order, jitter of 30 ms: the tones are whole", async () => {
  const before = { ...relay.counts };
  Object.assign(relay.network, { loss: 0.1, late: 0.05, delayMs: 20, jitterMs: 30 });
  // The jitter buffer learns its delay in the first second.
  await tonesAgain(0.3);
  const sound = await until("ten seconds in which the relay itself was in time", async () => {
    relay.worstMs = 0;
    const heard = await decode(live, 10);
    if (relay.worstMs > RELAY_LATE_MS) throw new Error(`its timers were ${relay.worstMs.toFixed(0)} ms late`);
    return heard;
  }, WINDOW_MS);
  const found = assertTones(sound, HOST_TONES, 8, 0.3);
  const heard = found.reduce((sum, one) => sum + one.for, 0);
  if (heard < 9) throw new Error(`${heard.toFixed(2)} s of 10 s hold the tones`);
  const { passed, lost, late } = relay.counts;
  const share = (lost - before.lost) / (lost - before.lost + passed - before.passed);
  if (share < 0.06 || share > 0.14 || late - before.late < 20) throw new Error(`the relay lost ${share}, delayed ${late - before.late}`);
  console.log(`    ${heard.toFixed(2)} s of 10 s hold the tones; ${(share * 100).toFixed(1)} % of the datagrams were lost, ${late - before.late} came late; the relay's timers were ${relay.worstMs.toFixed(0)} ms late at most`);
}, { ms: WINDOW_MS + 30000 });
await test("the studio's figures name the loss", async () => {
  await until("the loss", async () => { const { quality } = await person(); if (!(quality?.loss > 0.04 && quality.loss < 0.2)) throw new Error(JSON.stringify(quality)); return true; });
  Object.assign(relay.network, { loss: 0, late: 0, delayMs: 0, jitterMs: 0 });
});
await test("a dead network: gone from the sound within a second, the lamp says lost, the seat is kept", async () => {
  await tonesAgain();
  const watch = await watchPages(live);
  await until("a second of pages", () => watch.pages.length > 12);
  relay.network.dead = true;
  const died = Date.now(), newest = watch.pages.at(-1).samples;
  await until("the listeners' lamp", toldToListeners);
  await until("the host's own page", async () => (await says()) === "Finding the stage again");
  const { seat } = await person();
  if (seat !== "lost") throw new Error(`the seat is ${seat}`);
  await until("three seconds of pages without him", () => Date.now() - died > 3000);
  writeFileSync(join(folder, "dead.ogg"), await watch.stop());
  const sound = await decode(join(folder, "dead.ogg"));
  // In the stream's own time: from the newest page at his network's death to the last of him.
  let last = 0;
  for (let at = 0; at + 480 <= sound.pcm.length; at += 480) if (rms(sound.pcm.subarray(at, at + 480)) > 0.003) last = at + 480;
  const first = watch.pages.find(({ samples }) => samples > 0).samples;
  const before = sound.pcm.length - (watch.pages.at(-1).samples - first);
  const took = (last - (newest - first + before)) / 48000;
  if (!(took < GONE_S)) throw new Error(`heard for ${took.toFixed(2)} s after the network died`);
  if (sound.pcm.length - last < 48000) throw new Error("he was heard to the end");
  console.log(`    the last of him stands in the stream ${took.toFixed(2)} s after his network died`);
});
await test("the network comes back: the same seat, the same tones", async () => {
  relay.network.dead = false;
  await until("on air", async () => (await says()) === "You are on air", 20000);
  await tonesAgain();
  if ((await person()).seat !== "taken" || await seatLeft()) throw new Error("the seat was given up meanwhile");
  await until("the listeners' lamp", async () => !(await toldToListeners()));
});
await test("the server is killed and starts again: the speaker comes back by himself", async () => {
  await house.kill();
  await until("the host's own page", async () => (await says()) === "Finding the stage again");
  await house.start("--media-public", `127.0.0.1:${relay.port}`);
  await until("on air", async () => (await says()) === "You are on air", 25000);
  await tonesAgain();
  if (await seatLeft()) throw new Error("the seat was given up meanwhile");
});
await test("the replay has the tones, a gap where the network was dead, and the tones again", async () => {
  await house.api("POST", "/spaces/relay/end");
  await until("the recording", async () => (await house.api("GET", "/spaces/relay")).recording);
  const sound = await decode(`${house.public}/s/relay/replay.ogg`);
  const found = assertTones(sound, HOST_TONES, 15, 0.2);
  const gaps = found.slice(1).map((one, i) => one.at - found[i].at - found[i].for).filter((gap) => gap > 1.5);
  if (!gaps.length) throw new Error(`no gap: ${stretches(sound, HOST_TONES).length} stretches without one`);
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });
unblock();

relay?.close();
await finish(browser);
