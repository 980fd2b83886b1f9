// An evening end to end: the real server, real browsers, real tools.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { hear, openChromium, openFirefox, openSpeakers } from "./browsers.mjs";
import { until } from "./house.mjs";
import { GUEST_TONES, HOST_TONES, assertSound, assertTones, decode, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, listen, noBarriers, open, openStudio, takeSeat, test, unblock, watched, wide } from "./suite.mjs";

let space, crowd, hostBrowser, guestBrowser, host, guest, listener, firefox, speakers;
const live = (name) => `${house.public}/s/evening/${name}`;

await test("the server starts on an empty folder", () => house.start("--demo"), { needed: true });
await test("ffmpeg plays the demo in each container", async () => {
  await until("the demo's sound", async () => (await fetch(`${house.public}/s/demo/live.ogg`, { signal: AbortSignal.timeout(500) })).ok);
  for (const name of ["live.ogg", "live.webm", "live.mp4"]) assertSound(await decode(`${house.public}/s/demo/${name}`, 4), 3.9);
});
await test("curl gets bytes at once", () => {
  const wrong = (error) => { if (error.status !== 28) throw error; return error.stdout; };
  let got;
  try { got = execFileSync("curl", ["-s", "-m", "2", `${house.public}/s/demo/live.ogg`], { maxBuffer: 1 << 24 }); } catch (error) { got = wrong(error); }
  if (got.length < 8000 || got.subarray(0, 4).toString() !== "OggS") throw new Error(`${got.length} bytes came`);
});
await test("browsers open", async () => {
  writeTones(join(folder, "host.wav"), HOST_TONES);
  writeTones(join(folder, "guest.wav"), GUEST_TONES);
  [crowd, hostBrowser, guestBrowser] = await Promise.all([openChromium(), openChromium(join(folder, "host.wav")), openChromium(join(folder, "guest.wav"))]);
}, { needed: true });
await test("the demo sounds in Chromium", async () => {
  const page = await open(crowd, `${house.public}/s/demo`);
  await listen(page);
  assertSound(await hear(page, 3), 3);
  await noBarriers(page, "demo");
  await page.context().close();
});
await test("the demo's page without script has its sound element", async () => {
  const context = await crowd.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${house.public}/s/demo`);
  if (!(await page.content()).includes("live.ogg")) throw new Error("nothing on the page leads to the sound");
  await context.close();
});

await test("an operator makes a space", async () => {
  space = await house.api("POST", "/spaces", { id: "evening", title: "An evening of tones", starts_at: Date.now() + 3600000 });
  if (!space.host_link.includes("/studio/evening#token=")) throw new Error(`host link: ${space.host_link}`);
}, { needed: true });
await test("the countdown page and the list have no barriers", async () => {
  const page = await open(crowd, `${house.public}/s/evening`);
  await noBarriers(page, "countdown");
  await wide(page);
  await page.goto(`${house.public}/`);
  await noBarriers(page, "home");
  await wide(page);
  await page.context().close();
});
await test("the host comes in, and the token leaves the address", async () => {
  watched.host = host = await openStudio(hostBrowser, space.host_link);
}, { needed: true });
await test("doors open: hold music in Chromium", async () => {
  await host.click("#doors");
  watched.listener = listener = await open(crowd, live("").replace(/\/$/, ""));
  await until("open doors", () => listener.evaluate(() => document.querySelector("#view").dataset.phase === "open"));
  await listen(listener);
  assertSound(await hear(listener, 2), 2);
}, { needed: true });
await test("the host takes the seat", () => takeSeat(host), { needed: true });
await test("the sound check has no barriers", async () => {
  await noBarriers(host, "studio-check");
  await wide(host);
});
let liveSince;
await test("going live by the studio's buttons", async () => {
  await host.click("#live");
  liveSince = Date.now();
  await host.click("dialog button:has-text('Go live')");
  await until("live", async () => (await house.api("GET", "/spaces/evening")).phase === "live");
  await host.click("#mic");
  await until("the host on air", () => host.evaluate(() => document.querySelector("#mic-state").textContent === "You are on air"));
}, { needed: true });
await test("Chromium hears the host's tones in their time", async () => {
  await until("the stage's sound", async () => { assertTones(await hear(listener, 3), HOST_TONES, 1.5); return true; }, 20000);
});
await test("ffmpeg hears them in each container", async () => {
  for (const name of ["live.ogg", "live.webm", "live.mp4"]) await until(name, async () => assertTones(await decode(`${live(name)}?burst=short`, 4), HOST_TONES, 2));
});
await test("the studio and the live page have no barriers", async () => {
  await noBarriers(host, "studio-live");
  await wide(host);
  await noBarriers(listener, "live");
  await wide(listener);
});
await test("a guest speaks: both are heard", async () => {
  const invite = await house.api("POST", "/spaces/evening/invites", { role: "speaker", name: "Guest" });
  watched.guest = guest = await openStudio(guestBrowser, invite.link);
  await takeSeat(guest);
  await guest.click("#mic");
  await until("both in the mix", async () => {
    const sound = await decode(live("live.ogg?burst=short"), 4);
    assertTones(sound, HOST_TONES, 1.5, 0.1);
    assertTones(sound, GUEST_TONES, 1.5, 0.1);
    return true;
  }, 30000);
});
await test("the guest leaves, the host alone is heard", async () => {
  await guest.context().close();
  await until("the host alone", async () => { assertTones(await decode(live("live.ogg?burst=short"), 3), HOST_TONES, 1.5, 0.6); return true; }, 20000);
});
await test("Firefox listens", async () => {
  speakers = await openSpeakers();
  firefox = await openFirefox(speakers.env);
  const page = await firefox.newPage();
  await page.goto(live("").replace(/\/$/, ""));
  await page.waitForSelector("#listen:not([hidden])");
  await listen(page);
  await until("the tones", async () => { assertTones(await hear(page, 3), HOST_TONES, 1.5); return true; }, 20000);
});

await test("after kill -9 page and studio come back by themselves", async () => {
  await house.kill();
  await house.start("--demo");
  const after = await house.api("GET", "/spaces/evening");
  if (after.phase !== "live") throw new Error(`the space is ${after.phase}`);
  await until("the tones", async () => { assertTones(await hear(listener, 3), HOST_TONES, 1.5); return true; }, 35000);
}, {});
await test("the host ends it by the studio's buttons", async () => {
  await host.click("#deck-does button:has-text('End')");
  await host.click("dialog button:has-text('End it')");
  await until("the end", async () => (await house.api("GET", "/spaces/evening")).phase === "ended");
});
await test("the replay has all of it, with Range and its length", async () => {
  const told = await until("the recording", async () => (await house.api("GET", "/spaces/evening")).recording);
  const address = live("replay.ogg");
  const sound = await decode(address);
  if (sound.complaints) throw new Error(sound.complaints);
  const seconds = sound.pcm.length / sound.rate;
  if (Math.abs(seconds - told.millis / 1000) > 0.1) throw new Error(`${seconds} s play, ${told.millis} ms are told`);
  const wall = (Date.now() - liveSince) / 1000;
  if (seconds < 10 || seconds > wall + 2) throw new Error(`${seconds} s of a space that was live for ${wall} s`);
  assertTones(sound, HOST_TONES, seconds / 3, 0.2);
  const part = await fetch(address, { headers: { range: "bytes=100-199" } });
  if (part.status !== 206 || (await part.arrayBuffer()).byteLength !== 100) throw new Error(`Range gets ${part.status}`);
});
await test("the listener's page turns into the replay, which plays and seeks", async () => {
  await until("the replay", () => listener.evaluate(() => Boolean(document.querySelector("#replay"))), 20000);
  await noBarriers(listener, "replay");
  await wide(listener);
});
await test("the list of spaces in the studio has no barriers", async () => {
  const page = await open(crowd, `${house.stage}/studio#token=${house.token}`);
  await until("the list", () => page.evaluate(() => document.body.innerText.includes("An evening of tones")));
  await noBarriers(page, "studio-list");
  await wide(page);
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });
unblock();
await test("SIGTERM ends the server in time", async () => {
  const code = await house.stop();
  if (code !== 0) throw new Error(`exit ${code}`);
});

await finish(crowd, hostBrowser, guestBrowser, firefox, speakers);
