// The same over TLS, by a certificate of the test's own: sound on kept-alive connections, cookies that only TLS carries, and other sites.

import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { hear, openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { HOST_TONES, assertTones, writeTones } from "./sound.mjs";
import { errors, finish, folder, house, listen, open, openStudio, takeSeat, tasksOfListeners, test, watched, words } from "./suite.mjs";

const IDLE_MS = 52000;
let crowd, hostBrowser, space, host, listener;
const url = () => `${house.public}/s/secure`;
const phase = async () => (await house.api("GET", "/spaces/secure")).phase;

await test("the server starts with a certificate of the test's own", async () => {
  house.secure(folder);
  await house.start();
  writeTones(join(folder, "host.wav"), HOST_TONES);
  [crowd, hostBrowser] = await Promise.all([openChromium(), openChromium(join(folder, "host.wav"))]);
  space = await house.api("POST", "/spaces", { id: "secure", title: "Over TLS" });
  if (!space.host_link.startsWith("https://")) throw new Error(space.host_link);
}, { needed: true });
await test("the host's cookie is __Host-, Secure, HttpOnly and Strict; no script reads it, no address shows the token", async () => {
  watched.host = host = await openStudio(hostBrowser, space.host_link);
  const cookies = await host.context().cookies();
  const wrong = cookies.filter((one) => !one.name.startsWith("__Host-hustings_") || !one.secure || !one.httpOnly || one.sameSite !== "Strict" || one.path !== "/");
  if (!cookies.length || wrong.length) throw new Error(JSON.stringify(cookies.map(({ value, ...rest }) => rest)));
  if (await host.evaluate(() => document.cookie)) throw new Error("a script reads the cookie");
  if (house.log.includes(space.host_link.split("token=")[1])) throw new Error("the token is in the log");
});
await test("the host speaks, and Chromium hears the tones by MediaSource over TLS", async () => {
  await house.api("POST", "/spaces/secure/open");
  await takeSeat(host);
  await house.api("POST", "/spaces/secure/live");
  await words(host, "#mic-state", "muted");
  await until("the open microphone", async () => { if (/muted/.test(await host.textContent("#mic-state"))) await host.click("#mic"); return (await host.textContent("#mic-state")) === "You are on air"; });
  watched.listener = listener = await open(crowd, url());
  await listen(listener);
  await until("the tones", async () => { assertTones(await hear(listener, 3), HOST_TONES, 1.5); return true; }, 20000);
});
await test("the public page may not do what a host may, though the browser holds the host's cookie", async () => {
  const page = await host.context().newPage();
  await page.goto(url());
  const tries = await page.evaluate(async (stage) => {
    const answers = [];
    for (const [path, more] of [["end", {}], ["end", { mode: "no-cors" }], ["music", { mode: "no-cors", body: JSON.stringify({ on: true }) }], ["end", { mode: "no-cors", headers: { "content-type": "text/plain" } }]]) {
      answers.push(await fetch(`${stage}/api/v1/spaces/secure/${path}`, { method: "POST", credentials: "include", ...more }).then((one) => one.status, () => "refused by the browser"));
    }
    return answers;
  }, house.stage);
  if (tries.some((one) => one === 200) || await phase() !== "live") throw new Error(`${tries}; ${await phase()}`);
  // What the page is made for works from there: a hand, by its own path.
  const me = await page.evaluate(async (stage) => (await fetch(`${stage}/api/v1/spaces/secure/me`, { credentials: "include" })).json(), house.stage);
  if (me.role !== "host") throw new Error(JSON.stringify(me));
  await page.close();
});
await test("another site's page can neither end the space, nor react, nor read who is signed in", async () => {
  const evil = createServer((request, answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<title>x</title><form method=post></form>")).listen(0, "127.0.0.1");
  await once(evil, "listening");
  const page = await host.context().newPage();
  await page.goto(`http://localhost:${evil.address().port}/`);
  const before = await (await fetch(`${url()}/state.json`)).json();
  const read = await page.evaluate(async ([stage, crowdUrl]) => {
    const send = (to, body) => fetch(to, { method: "POST", mode: "no-cors", credentials: "include", body }).catch(() => {});
    await send(`${stage}/api/v1/spaces/secure/end`);
    await send(`${crowdUrl}/reactions`, JSON.stringify({ reaction: "applaud" }));
    return fetch(`${stage}/api/v1/spaces/secure/me`, { credentials: "include" }).then((one) => one.text(), () => "refused");
  }, [house.stage, url()]);
  if (read !== "refused") throw new Error(`it reads ${read}`);
  await page.evaluate((stage) => { const form = document.forms[0]; form.action = `${stage}/api/v1/spaces/secure/end`; form.submit(); }, house.stage);
  await page.waitForURL(/\/end$/);
  if (!(await page.textContent("body")).includes("cross-site")) throw new Error(await page.textContent("body"));
  const after = await (await fetch(`${url()}/state.json`)).json();
  if (after.phase !== "live" || before.reactions || after.reactions) throw new Error(JSON.stringify(after));
  await page.close();
  evil.close();
});
await test("a signed-out host has no cookie left", async () => {
  // The page loads itself anew when it has signed out.
  await Promise.all([host.waitForEvent("load"), host.click("#sign-out")]);
  await until("no cookies", async () => !(await host.context().cookies()).length);
  await host.goto(`${house.stage}/studio/secure`);
  await words(host, "#view", "This page opens with an invitation link");
});
await test("listeners in Chromium leave no task behind over TLS", async () => {
  await listener.context().close();
  await tasksOfListeners(crowd, url(), 6, IDLE_MS);
}, { ms: 100000 });
await test("no page broke a rule of its own", () => { if (errors.length) throw new Error([...new Set(errors)].join("\n")); });

await finish(crowd, hostBrowser);
