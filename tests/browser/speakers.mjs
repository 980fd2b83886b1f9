// Three people speak, two from Chromium and one from Firefox, and each is known by his tones: in the listeners' ears, in the
// other speakers' ears, never in his own, and in the replay at the times when he spoke.

import { join } from "node:path";
import { hear, openChromium, openFirefox, openSpeakers } from "./browsers.mjs";
import { until } from "./house.mjs";
import { GUEST_TONES, HOST_TONES, THIRD_TONES, assertNoTones, assertTones, decode, stretches, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, listen, open, openStudio, takeSeat, test, unblock, watched } from "./suite.mjs";

/** A tone of one of three voices at least holds this share of the sound. */
const THIRD = 0.08;
/** s between a button pressed here and its effect in the sound there, on a busy machine. */
const WITHIN_S = 2.5;
const page = `${house.public}/s/trio`;
const people = { host: HOST_TONES, guest: GUEST_TONES, third: THIRD_TONES };
const pages = {};
/** ms since 1970 at which somebody pressed "talk" or "mute". */
const spoke = {};
let space, hostBrowser, guestBrowser, firefox, speakers, listener, fox;

const says = (of) => of.evaluate(() => document.querySelector("#mic-state").textContent);
const talk = async (who) => {
  await pages[who].click("#mic");
  spoke[who] = Date.now();
  await until(`${who} on air`, async () => (await says(pages[who])) === "You are on air");
};
const studioOf = async (role, name) => (await house.api("POST", "/spaces/trio/invites", { role, name })).link;
const hears = (what, of, wanted, unwanted = []) => until(what, async () => {
  const sound = await hear(of, 3);
  for (const who of wanted) assertTones(sound, people[who], 1.5, THIRD);
  for (const who of unwanted) assertNoTones(sound, people[who]);
  return true;
}, 30000);

await test("the server starts, browsers open", async () => {
  for (const [who, tones] of Object.entries(people)) writeTones(join(folder, `${who}.wav`), tones);
  [speakers, hostBrowser, guestBrowser] = await Promise.all([openSpeakers(join(folder, "third.wav")),
    openChromium(join(folder, "host.wav")), openChromium(join(folder, "guest.wav")), house.start("--media", `local:${house.media}`)]);
  firefox = await openFirefox(speakers.env);
  space = await house.api("POST", "/spaces", { id: "trio", title: "Three voices" });
}, { needed: true });
await test("a host goes live from Chromium", async () => {
  watched.host = pages.host = await openStudio(hostBrowser, space.host_link);
  await pages.host.click("#doors");
  await takeSeat(pages.host);
  await pages.host.click("#live");
  await pages.host.click("dialog button:has-text('Go live')");
  await until("live", async () => (await house.api("GET", "/spaces/trio")).phase === "live");
  spoke.live = Date.now();
  await talk("host");
}, { needed: true });
await test("Chromium listens", async () => {
  watched.listener = listener = await open(hostBrowser, page);
  await listen(listener);
  await hears("the host", listener, ["host"]);
}, { needed: true });
await test("a guest speaks from another Chromium", async () => {
  watched.guest = pages.guest = await openStudio(guestBrowser, await studioOf("speaker", "Guest"));
  await takeSeat(pages.guest);
  await talk("guest");
  await hears("host and guest", listener, ["host", "guest"]);
}, { needed: true });
await test("a third speaks from Firefox", async () => {
  watched.third = pages.third = await firefox.newPage();
  await pages.third.goto((await studioOf("speaker", "Third")).replace("#", "?raw=1#"));
  await pages.third.waitForSelector("#mic:not([disabled])");
  await takeSeat(pages.third);
  await talk("third");
  await hears("all three", listener, ["host", "guest", "third"]);
}, { needed: true });
await test("Firefox listens to all three", async () => {
  watched.fox = fox = await firefox.newPage();
  await fox.goto(page);
  await fox.waitForSelector("#listen:not([hidden])");
  await listen(fox);
  await hears("all three", fox, ["host", "guest", "third"]);
  await fox.close();
  watched.fox = null;
});
await test("a listener in Firefox is called: the stage's sound comes instead of the stream, and the stream again", async () => {
  // Cookies of his own: the third speaks from the same Firefox.
  const own = await firefox.createBrowserContext();
  watched.fox = fox = await own.newPage();
  await fox.goto(`${page}?raw=1`);
  await fox.waitForSelector("#listen:not([hidden])");
  await listen(fox);
  await fox.click("#hand");
  await fox.type("#hand-name", "Resident");
  await fox.click("dialog button[type=submit]");
  const { person } = await until("the hand", async () => (await house.api("GET", "/spaces/trio/studio.json")).hands[0]);
  await house.api("POST", `/spaces/trio/hands/${person}/accept`);
  await (await fox.waitForSelector("#news button.main")).click();
  const stage = () => fox.evaluate(() => [...document.querySelectorAll("audio")].some((one) => one.srcObject && !one.paused && one.currentTime > 0));
  const stream = () => fox.evaluate(() => globalThis.hustings.player.state);
  await until("the stage's sound", async () => await stream() === "idle" && await stage());
  await fox.click("#deck-does button");
  await until("the stream", async () => await stream() === "playing" && !await stage());
  await until("an empty seat", async () => (await house.api("GET", "/spaces/trio/studio.json")).people.every((one) => one.name !== "Resident" || one.seat === "none"));
  await own.close();
  watched.fox = null;
});
for (const who of Object.keys(people)) {
  await test(`the ${who} hears the others and never the own voice`, async () => {
    await pages[who].bringToFront();
    await hears("the others", pages[who], Object.keys(people).filter((one) => one !== who), [who]);
  });
}
await test("the third mutes himself and is heard no more", async () => {
  await pages.third.click("#mic");
  spoke.quiet = Date.now();
  await hears("the other two", listener, ["host", "guest"], ["third"]);
});
await test("the replay has each voice when it spoke", async () => {
  await house.api("POST", "/spaces/trio/end");
  await until("the recording", async () => (await house.api("GET", "/spaces/trio")).recording);
  const sound = await decode(`${page}/replay.ogg`);
  if (sound.complaints) throw new Error(sound.complaints);
  for (const [who, tones] of Object.entries(people)) {
    const found = stretches(sound, tones, THIRD), from = (spoke[who] - spoke.live) / 1000;
    if (!found.length) throw new Error(`nothing of the ${who}`);
    if (found[0].at < from - WITHIN_S || found[0].at > from + WITHIN_S) throw new Error(`the ${who} spoke at ${from.toFixed(1)} s and is first heard at ${found[0].at.toFixed(1)} s`);
    assertTones(sound, tones, 4, THIRD);
  }
  const last = stretches(sound, THIRD_TONES, THIRD).at(-1), quiet = (spoke.quiet - spoke.live) / 1000;
  if (Math.abs(last.at + last.for - quiet) > WITHIN_S) throw new Error(`muted at ${quiet.toFixed(1)} s, heard until ${(last.at + last.for).toFixed(1)} s`);
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });
unblock();

await finish(hostBrowser, guestBrowser, firefox, speakers);
