// What happens in a space, each deed by the buttons of a real browser: hands, seats, invitations, warnings, schedules.

import { join } from "node:path";
import { openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { GUEST_TONES, HOST_TONES, assertTones, decode, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, listen, open, openStudio, takeSeat, test, watched, words } from "./suite.mjs";

let crowd, hostBrowser, guestBrowser, space, host, guest, one, two;
const page = (id) => `${house.public}/s/${id}`;
const say = (of, selector) => of.evaluate((what) => document.querySelector(what)?.textContent ?? "", selector);
/** Seconds without sound that nobody calls lost: the change between two players. */
const LOST_S = 0.25;
/** ms in which a request that overtakes another would be answered. */
const OVERTAKE_MS = 1500;

/** Records whatever the page plays, by whichever element, into one track with a clock. */
const tapAll = (of) => of.evaluate(async () => {
  const context = new AudioContext();
  const node = context.createScriptProcessor(2048, 1, 1);
  const levels = [];
  node.onaudioprocess = ({ inputBuffer }) => {
    let sum = 0;
    for (const x of inputBuffer.getChannelData(0)) sum += x * x;
    levels.push(Math.sqrt(sum / 2048));
  };
  node.connect(context.destination);
  await context.resume();
  const take = (track) => track.kind === "audio" && context.createMediaStreamSource(new MediaStream([track])).connect(node);
  const known = new WeakSet();
  const look = () => {
    for (const audio of document.querySelectorAll("audio")) {
      if (known.has(audio)) continue;
      known.add(audio);
      const stream = audio.srcObject ?? audio.captureStream();
      stream.getAudioTracks().forEach(take);
      stream.addEventListener("addtrack", ({ track }) => take(track));
    }
  };
  look();
  new MutationObserver(look).observe(document.body, { childList: true });
  window.tapped = { levels, step: 2048 / context.sampleRate };
});
/** The longest silence of what was tapped, from its first sound to `ms` from now. */
const heardAll = (of, ms) => of.evaluate(async (wait) => {
  await new Promise((go) => setTimeout(go, wait));
  const { levels, step } = window.tapped;
  const first = levels.findIndex((level) => level > 0.003);
  let run = 0, silence = 0;
  for (const level of levels.slice(first)) { run = level > 0.003 ? 0 : run + 1; silence = Math.max(silence, run); }
  return { silence: silence * step, seconds: (levels.length - first) * step };
}, ms);
const state = async (id = "rooms") => (await fetch(`${page(id)}/state.json`)).json();

await test("server, browsers, and a live space", async () => {
  await house.start();
  writeTones(join(folder, "host.wav"), HOST_TONES);
  writeTones(join(folder, "guest.wav"), GUEST_TONES);
  [crowd, hostBrowser, guestBrowser] = await Promise.all([openChromium(), openChromium(join(folder, "host.wav")), openChromium(join(folder, "guest.wav"))]);
  space = await house.api("POST", "/spaces", { id: "rooms", title: "What each button does", record: true });
  await house.api("POST", "/spaces/rooms/open");
  watched.host = host = await openStudio(hostBrowser, space.host_link);
  await takeSeat(host);
  await house.api("POST", "/spaces/rooms/live");
  await words(host, "#mic-state", "muted");
  await host.click("#mic");
  await words(host, "#mic-state", "You are on air");
}, { needed: true });

await test("reactions: one page presses, another page and the studio show it as numbers, and forget it", async () => {
  watched.one = one = await open(crowd, page("rooms"));
  watched.two = two = await open(guestBrowser, page("rooms"));
  await one.click("[data-react=applaud]");
  await one.click("[data-react=louder]");
  for (const name of ["applaud", "louder"]) await words(two, `[data-react=${name}] .n`, "1");
  await words(host, "#reacted", "Applaud 1 · Louder 1");
  await listen(two);
  await one.click("[data-react=agree]");
  await words(two, "[data-react=agree] .n", "1");
  await until("numbers that go", async () => !(await state()).reactions && !(await say(two, "[data-react=applaud] .n")), 20000);
});

const tellName = async (of, name, question) => {
  await of.click("#hand");
  await of.fill("#hand-name", name);
  await of.fill("#hand-question", question);
  await of.click("dialog button[type=submit]");
  await words(of, "#hand-says", "Your hand is raised");
};
const plate = (of, name) => of.locator(`#plates li:has-text("${name}")`);
const plateSays = (of, name, wanted) => until(`"${wanted}" on the plate of ${name}`, async () => (await plate(of, name).textContent({ timeout: 500 })).includes(wanted));
const invite = (name, role = "speaker") => house.api("POST", "/spaces/rooms/invites", { role, name });
const onAir = async (of) => { await takeSeat(of); await of.click("#mic"); await words(of, "#mic-state", "You are on air"); };

await test("a listener raises a hand, is called, speaks and goes back, and never loses the sound", async () => {
  await two.goto(`${page("rooms")}?raw=1`);
  await listen(two);
  await tapAll(two);
  await tellName(two, "Resident", "The bus to the clinic");
  await words(host, "#hand-list", "“The bus to the clinic”");
  await host.click("#hand-list button:has-text('Accept')");
  await two.click("#news button:has-text('Open my microphone')");
  await words(two, "#mic-state", "muted");
  await until("the stage's sound instead of the stream", () => two.evaluate(() => globalThis.hustings.player.state === "idle"));
  await two.click("#mic");
  await words(two, "#mic-state", "You are on air");
  await until("both voices", async () => {
    const sound = await decode(`${page("rooms")}/live.ogg?burst=short`, 3);
    assertTones(sound, HOST_TONES, 1, 0.1);
    assertTones(sound, GUEST_TONES, 1, 0.1);
    return true;
  }, 20000);
  await plateSays(one, "Resident", "Speaking");
  await two.click("#deck-does button:has-text('Leave the stage')");
  await until("the stream again", () => two.evaluate(() => globalThis.hustings.player.state === "playing"));
  const { silence, seconds } = await heardAll(two, 1500);
  if (seconds < 5) throw new Error(`only ${seconds} s were tapped`);
  if (silence > LOST_S) throw new Error(`the sound was away for ${silence.toFixed(2)} s`);
  console.log(`    the longest silence was ${(silence * 1000).toFixed(0)} ms`);
  await until("an empty plate", async () => !await plate(host, "Resident").count());
  const log = JSON.stringify(await house.api("GET", "/spaces/rooms/log"));
  if (!log.includes('"seat-left"') || log.includes('"connection-lost"')) throw new Error(`who left was held for lost: ${log.slice(-800)}`);
});
await test("a listener is called where media does not pass: the stream goes on", async () => {
  await two.route("**/whip", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace(/^a=candidate.*\r\n/gm, "") });
  });
  await tellName(two, "Resident", "");
  await host.click("#hand-list button:has-text('Accept')");
  const answered = two.waitForResponse((response) => response.url().endsWith("/whip"));
  await two.click("#news button:has-text('Open my microphone')");
  await answered;
  const { silence } = await heardAll(two, 3000);
  if (silence > LOST_S) throw new Error(`the sound was away for ${silence.toFixed(2)} s`);
  if (await two.evaluate(() => globalThis.hustings.player.state) !== "playing") throw new Error("the stream was stopped");
  await two.click("#deck-does button:has-text('Leave the stage')");
  await until("an empty plate", async () => !await plate(host, "Resident").count());
  await two.unroute("**/whip");
});
await test("who is called and does not want to is called no more, and the host sees it", async () => {
  await tellName(two, "Resident", "");
  await host.click("#hand-list button:has-text('Accept')");
  await plateSays(host, "Resident", "Called, not here yet");
  await two.click("#news button:has-text('Not now')");
  await words(two, "#hand", "Raise hand");
  await until("an empty plate", async () => !await plate(host, "Resident").count());
  if (await two.locator("#news section, #toast").count()) throw new Error(`it says "${await say(two, "#news")}${await say(two, "#toast")}"`);
});
await test("who mutes and at once wants to talk is heard, however slow the first request is", async () => {
  let come, go;
  const came = new Promise((done) => { come = done; }), held = new Promise((done) => { go = done; });
  const told = (what, more) => host.waitForResponse((response) => response.url().endsWith(`/people/me/${what}`), more);
  await host.route("**/people/me/mute", async (route) => { come(); await held; await route.continue(); });
  const muted = told("mute"), overtaken = told("unmute", { timeout: OVERTAKE_MS }).catch(() => {});
  await host.click("#mic");
  await came;
  await host.click("#mic");
  await overtaken;
  const unmuted = told("unmute");
  go();
  await Promise.all([muted, unmuted]);
  await words(host, "#mic-state", "You are on air");
  const { people } = await house.api("GET", "/spaces/rooms/studio.json");
  if (people.some((one) => one.role === "host" && one.muted)) throw new Error("the page says on air, the server says muted");
  await host.unroute("**/people/me/mute");
});
await test("a wish to talk that does not arrive is told again", async () => {
  const muted = async () => (await house.api("GET", "/spaces/rooms/studio.json")).people.find((one) => one.role === "host").muted;
  await host.click("#mic");
  await until("silence", muted);
  let asked = 0;
  await host.route("**/people/me/unmute", (route) => { asked += 1; return asked < 3 ? route.fulfill({ status: 503 }) : route.continue(); });
  await host.click("#mic");
  await until("the third try", async () => !await muted());
  await words(host, "#mic-state", "You are on air");
  await host.unroute("**/people/me/unmute");
});
await test("a hand is declined, and its owner is told", async () => {
  await tellName(one, "Teacher", "");
  await host.click("#hand-list button:has-text('Lower')");
  await words(one, "#hand", "Raise hand");
  await words(one, "#say", "lowered your hand");
});
await test("the host mutes a speaker, who cannot talk until the host allows it", async () => {
  const made = await invite("Guest");
  watched.guest = guest = await openStudio(guestBrowser, made.link);
  await onAir(guest);
  await plate(host, "Guest").getByRole("button", { name: "Mute Guest" }).click();
  await words(guest, "#mic-state", "Muted by the host");
  if (!await guest.locator("#mic").isDisabled()) throw new Error("the button can be pressed");
  await plateSays(one, "Guest", "Muted by the host");
  await plate(host, "Guest").getByRole("button", { name: "Allow to talk Guest" }).click();
  await words(guest, "#mic-state", "muted");
  await until("the button", () => guest.locator("#mic").isEnabled());
  await guest.click("#mic");
  await words(guest, "#mic-state", "You are on air");
});
await test("the host changes a name, and everybody sees it", async () => {
  await plate(host, "Guest").getByRole("button", { name: "Rename Guest" }).click();
  await host.fill("dialog input", "City treasurer");
  await host.click("dialog button[type=submit]");
  await plateSays(one, "City treasurer", "");
  await plateSays(guest, "City treasurer", "You");
});
await test("a removed speaker is told and is not heard", async () => {
  await plate(host, "City treasurer").getByRole("button", { name: "Remove" }).click();
  await host.click("dialog button:text-is('Remove')");
  await words(guest, "#view", "The host has ended your turn on stage");
  await until("an empty plate", async () => (await state()).people.every((person) => person.name !== "City treasurer"));
  await until("the host alone", async () => { assertTones(await decode(`${page("rooms")}/live.ogg?burst=short`, 3), HOST_TONES, 1.5, 0.6); return true; }, 20000);
});
await test("a banned guest does not come back by the link", async () => {
  const made = await invite("Heckler");
  await guest.context().close();
  watched.guest = guest = await openStudio(guestBrowser, made.link);
  await onAir(guest);
  await plate(host, "Heckler").getByRole("button", { name: "Remove" }).click();
  await host.click("dialog button:text-is('Remove and ban')");
  await words(guest, "#view", "keep you off the stage");
  await guest.goto(made.link);
  await words(guest, "#view", "banned");
  await guest.reload();
  await words(guest, "#view", "keep you off the stage");
});
await test("a locked stage takes nobody new, and says so", async () => {
  await host.click("#lock");
  await words(host, "#lock", "Stage is locked");
  const made = await invite("Late guest");
  await guest.context().close();
  watched.guest = guest = await openStudio(guestBrowser, made.link);
  await guest.click("#mic");
  await words(guest, "#toast", "locked");
  await host.click("#lock");
  await words(host, "#lock", "Lock stage");
  await onAir(guest);
});
await test("a revoked link takes the seat, is told, and lets nobody in again", async () => {
  await host.fill("#inv-name", "Second guest");
  await host.click("#invites button[type=submit]");
  const link = await host.inputValue("#invites .copyline input");
  await guest.context().close();
  watched.guest = guest = await openStudio(guestBrowser, link);
  await onAir(guest);
  await host.locator("#inv-list li:has-text('Second guest')").getByRole("button", { name: "Revoke" }).click();
  await host.click("dialog button:text-is('Revoke')");
  await words(guest, "#view", "Your link was revoked");
  await until("an empty plate", async () => (await state()).people.every((person) => person.name !== "Second guest"));
  await guest.reload();
  await words(guest, "#view", "no place on this stage any more");
  const other = await open(crowd, link);
  await words(other, "#view", "revoked");
  await other.context().close();
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });

await finish(crowd, hostBrowser, guestBrowser);
