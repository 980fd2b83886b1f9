// A host's evening at the desk: spaces made and changed in /studio, the checks before, the warnings while, the end and after.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hear, openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { HOST_TONES, assertTones, decode, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, open, openStudio, takeSeat, test, watched, words } from "./suite.mjs";

/** Hz. The music that the host brings along. */
const MUSIC_TONES = [550, 660];
/** ms. The alarm comes after 10 s of silence. */
const DEAD_AIR_MS = 20000;
let crowd, hostBrowser, desk, space, host, second, listener;
const page = (id) => `${house.public}/s/${id}`;
const entry = (title) => desk.locator(`#bill li:has-text("${title}")`);
/** As <input type=datetime-local> wants it. */
const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 16);

await test("the server and browsers start", async () => {
  await house.start();
  writeTones(join(folder, "host.wav"), HOST_TONES);
  writeTones(join(folder, "music.wav"), MUSIC_TONES);
  [crowd, hostBrowser] = await Promise.all([openChromium(), openChromium(join(folder, "host.wav"))]);
}, { needed: true });

await test("a wrong token is refused in words, the operator's opens the studio", async () => {
  watched.desk = desk = await open(crowd, `${house.stage}/studio`);
  await desk.fill("input[type=password]", "not-a-token");
  await desk.click("button[type=submit]");
  await words(desk, "[role=alert].tell", "token");
  await desk.fill("input[type=password]", house.token);
  await desk.click("button[type=submit]");
  await words(desk, "#how-many", "space");
  if (desk.url().includes("token")) throw new Error(desk.url());
}, { needed: true });
await test("a space is made, scheduled and changed without a terminal", async () => {
  const form = desk.locator("form.form");
  await form.locator("[name=title]").fill("Budget hearing");
  await form.locator("[name=description]").fill("What the city spends.");
  await form.locator("[name=starts]").fill(local(Date.now() + 3 * 3600000));
  await form.locator("[type=submit]").click();
  await words(desk, "#made", "“Budget hearing” is made");
  const shown = await desk.locator("#made input").nth(1).inputValue();
  listener = watched.listener = await open(crowd, shown);
  await words(listener, "h1", "Budget hearing");
  await words(listener, "#wait", "Starts");
  await entry("Budget hearing").getByRole("button", { name: /^Change/ }).click();
  await desk.fill("dialog [name=title]", "Budget hearing, second reading");
  await desk.fill("dialog [name=starts]", local(Date.now() + 26 * 3600000));
  await desk.click("dialog [type=submit]");
  await entry("second reading").waitFor();
  await listener.reload();
  await words(listener, "h1", "second reading");
  await words(listener, "#clock", "day");
});
await test("a time in the past is refused in words, and nothing changes", async () => {
  await entry("second reading").getByRole("button", { name: /^Change/ }).click();
  await desk.fill("dialog [name=starts]", local(Date.now() - 3600000));
  await desk.click("dialog [type=submit]");
  await words(desk, "dialog [role=alert]", "The start lies in the past.");
  await desk.click("dialog button:has-text('Leave it as it was')");
});
await test("a space is cancelled with a reason, and its link says so", async () => {
  await entry("second reading").getByRole("button", { name: /^Cancel/ }).click();
  await desk.fill("dialog input", "The room is flooded.");
  await desk.click("dialog button:has-text('Cancel the space')");
  await words(listener, "#view", "The room is flooded.");
  await words(desk, "#bill", "Cancelled");
});

await test("the recording is switched off before the start, and everyone sees it", async () => {
  space = await house.api("POST", "/spaces", { id: "quiet", title: "Off the record", record: true });
  watched.host = host = await openStudio(hostBrowser, space.host_link);
  await listener.goto(page("quiet"));
  await words(listener, "#view", "The recording is here, under this same link.");
  await host.click("button:has-text('Change…')");
  await host.uncheck("dialog [name=record]");
  await host.click("dialog [type=submit]");
  await words(host, "#will-record", "no");
  await listener.reload();
  await words(listener, "#view", "There is no recording");
});
await test("the microphone is checked before the doors open: name, level", async () => {
  await host.fill("#own-name", "Committee chair");
  await host.click("#open-mic");
  await words(host, "#mic-state", "Your microphone is ready");
  await words(host, "#level-says", "Good.");
  await until("the level's mark", () => host.evaluate(() => document.querySelector("#level-mark").className === "ok"));
  await words(host, "#mic-choice", "Fake");
});
await test("doors open by the button; the host hears the own echo by its tones", async () => {
  await host.click("#doors");
  await words(listener, "#doors", "Doors open");
  await words(listener, "#recorded", "Not recorded");
  // Who talks all the time, as this microphone does, is told so half a second later, in other words.
  await words(host, "#mic-state", "muted");
  await host.click("#echo");
  await words(host, "#mic-state", "Your microphone is open");
  await until("the echo", async () => { assertTones(await hear(host, 3), HOST_TONES, 1.5, 0.2); return true; }, 20000);
  await host.click("#echo");
  await host.click("#mic");
  await words(host, "#mic-state", "muted");
});
await test("who talks while muted is told", async () => {
  await words(host, "#mic-state", "You talk, but you are muted");
  await words(host, "#cry", "You talk, but you are muted.");
});
await test("a file that is no sound is refused in words; a WAV becomes the hold music", async () => {
  writeFileSync(join(folder, "letter.wav"), "Dear host, this is a letter.\n".repeat(100));
  await host.setInputFiles("#music-file", join(folder, "letter.wav"));
  await words(host, "#toast", "sound");
  await words(host, "#music-says", "The bundled loop.");
  await host.setInputFiles("#music-file", join(folder, "music.wav"));
  await words(host, "#music-says", "Your own file.");
  await until("the host's music", async () => { assertTones(await decode(`${page("quiet")}/live.ogg?burst=short`, 3), MUSIC_TONES, 1.5, 0.3); return true; }, 20000);
});

await test("going live asks once more", async () => {
  await host.click("#live");
  await host.click("dialog button:has-text('Not yet')");
  await words(host, "#rail [aria-current]", "Doors");
  await host.click("#live");
  await host.click("dialog button:has-text('Go live')");
  await words(host, "#rail [aria-current]", "On air");
  await words(listener, "#recorded", "Not recorded");
});
await test("dead air is told with its reason to the host, calmly to listeners, and goes by itself", async () => {
  await words(host, "#news", "Nobody has been heard for", DEAD_AIR_MS);
  await words(host, "#news", "Everybody is muted.");
  await words(listener, "#news", "The stage is silent.");
  await host.click("#mic");
  await until("no warning", async () => !(await host.textContent("#news")).includes("Nobody has been heard"));
  await until("no notice", async () => !(await listener.textContent("#news")).includes("silent"));
});
await test("two tabs of one studio do no harm: one speaks, the other takes over when asked", async () => {
  second = watched.second = await host.context().newPage();
  await second.goto(`${house.stage}/studio/quiet?raw=1`);
  await words(second, "#mic-state", "Open your microphone");
  await second.click("#mic");
  await words(second, "#mic-state", "You speak in another tab");
  await words(host, "#mic-state", "You are on air");
  await second.click("#mic");
  await words(second, "#mic-state", "You talk, but you are muted");
  await words(host, "#mic-state", "You speak in another tab");
  await second.click("#mic");
  await words(second, "#mic-state", "You are on air");
  const { people } = await (await fetch(`${page("quiet")}/state.json`)).json();
  if (people.length !== 1) throw new Error(`${people.length} people sit on stage`);
  await until("the tones", async () => { assertTones(await decode(`${page("quiet")}/live.ogg?burst=short`, 3), HOST_TONES, 1.5, 0.4); return true; }, 20000);
});
await test("the end is asked twice; nothing was recorded", async () => {
  await second.click("#deck-does button:has-text('End')");
  if (await second.evaluate(() => document.activeElement.textContent) !== "No") throw new Error("the first focus is not on No");
  await second.click("dialog button:has-text('No')");
  if ((await house.api("GET", "/spaces/quiet")).phase !== "live") throw new Error("it has ended");
  await second.click("#deck-does button:has-text('End')");
  await second.click("dialog button:has-text('End it')");
  await words(second, "#view", "There is no recording.");
  await words(host, "#view", "It ended");
  await words(listener, "#view", "not to keep a recording");
});
await test("a recording is deleted in /studio, and is gone for everybody", async () => {
  await house.api("POST", "/spaces", { id: "gone", title: "Soon forgotten", record: true });
  await house.api("POST", "/spaces/gone/live");
  await until("a second of it", async () => (await (await fetch(`${page("gone")}/state.json`)).json()).mediaMs > 1500);
  await house.api("POST", "/spaces/gone/end");
  await until("the recording", async () => (await fetch(`${page("gone")}/replay.ogg`, { method: "HEAD" })).ok);
  await desk.reload();
  await entry("Soon forgotten").getByRole("button", { name: /^Delete recording/ }).click();
  await desk.click("dialog button:has-text('Delete it')");
  await until("its going", async () => !(await fetch(`${page("gone")}/replay.ogg`, { method: "HEAD" })).ok);
  await listener.goto(page("gone"));
  await words(listener, "h1", "Soon forgotten");
  if (await listener.locator("#replay").count()) throw new Error("the page still shows a player");
});
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });

await finish(crowd, hostBrowser);
