// What happens in a space, each deed by the buttons of a real browser: hands, seats, invitations, warnings, schedules.

import { join } from "node:path";
import { hear, openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { GUEST_TONES, HOST_TONES, assertSound, assertTones, decode, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, listen, open, openStudio, shoot, takeSeat, test, unblock, watched } from "./suite.mjs";

let crowd, hostBrowser, guestBrowser, space, host, guest, one, two;
const page = (id) => `${house.public}/s/${id}`;
const say = (of, selector) => of.evaluate((what) => document.querySelector(what)?.textContent ?? "", selector);
const words = (of, selector, wanted, ms) => until(`"${wanted}" in ${selector}`, async () => (await say(of, selector)).includes(wanted), ms);
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
  await words(host, "#mic-state", "You are muted");
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

await finish(crowd, hostBrowser, guestBrowser);
