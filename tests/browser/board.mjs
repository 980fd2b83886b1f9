// The operator's board: the numbers move with real listeners, the door is paused and opened again, a message is read, a rehearsal
// is ended, the preflight looks; and what the alarm webhook is sent meanwhile.

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

import { hear, openChromium } from "./browsers.mjs";
import { until } from "./house.mjs";
import { assertSound } from "./sound.mjs";
import { finish, house, listen, noBarriers, open, test, watched, wide, words } from "./suite.mjs";

let crowd, board, inside, newcomer, late;
/** What the webhook was sent: signature and body. */
const told = [];
const ear = createServer(async (request, answer) => {
  let body = "";
  for await (const part of request) body += part;
  told.push({ signature: request.headers["hustings-signature"], body });
  answer.writeHead(204).end();
}).listen(0, "127.0.0.1");
await once(ear, "listening");
const demo = () => `${house.public}/s/demo`;
const at = () => `http://127.0.0.1:${house.operator}/board`;
/** Presses a button of the board and says yes to its question. */
const does = async (name, yes) => {
  await board.click(`button:has-text("${name}"):visible`);
  await board.click(`dialog button:has-text("${yes}")`);
  await board.waitForSelector("dialog", { state: "detached" });
  await board.waitForSelector("#board");
};
/** What a page that opens now is told of the door: made anew with each change, and kept by caches for a second. */
const mode = async () => (await (await fetch(`${demo()}/serving.json`)).json()).mode;
const shut = () => until("the line in serving.json", async () => await mode() === "storm");
const number = async (id) => Number((await board.textContent(id)).replaceAll(",", ""));

await test("the server starts with a live space", () => house.start("--demo", "--alarm-webhook", `http://127.0.0.1:${ear.address().port}/hook`), { needed: true });
await test("browsers open", async () => { crowd = await openChromium(); }, { needed: true });
await test("without a token there is no board, with one there is", async () => {
  watched.board = board = await open(crowd, at());
  await noBarriers(board, "board-enter");
  await board.fill("input[name=token]", "nonsense");
  await board.click("button:has-text('Sign in')");
  await words(board, "#why", "cannot be read");
  await board.fill("input[name=token]", house.token);
  await board.click("button:has-text('Sign in')");
  await board.waitForSelector("#board");
  // A start on a busy disk may be told as an answer of the store that was slow, for some ten seconds.
  await words(board, "h1", "All is well.", 30000);
}, { needed: true });
await test("numbers move with real listeners", async () => {
  watched.inside = inside = await open(crowd, demo());
  await listen(inside);
  const second = await open(crowd, demo());
  await listen(second);
  await until("two listeners on the board", async () => await number("#n-listening") === 2);
  await second.context().close();
  await until("one listener on the board", async () => await number("#n-listening") === 1, 25000);
});
await test("the board has no barriers and fits a phone", async () => {
  await noBarriers(board, "board");
  await wide(board);
});
await test("a part with the focus holds still, the others go on", async () => {
  // With several spaces none is open by itself.
  if (await board.isVisible("button:has-text('Pause the door')")) throw new Error("an action is at hand before its space was chosen");
  await board.click("[data-part=doings] [data-space=demo] > summary");
  const message = ".doing[data-space=demo] input[name=message]";
  await board.focus(message);
  await board.fill(message, "Half a sen");
  const before = await board.textContent("[data-part=top] time");
  await until("a sample more", async () => (await board.getAttribute("[data-part=inside] .k-in", "d")).length > 0);
  await new Promise((go) => setTimeout(go, 2500));
  if (await board.inputValue(message) !== "Half a sen") throw new Error("what was typed is gone");
  if (!before) throw new Error("no time");
  await board.fill(message, "");
});
await test("a question's first focus is no, and no changes nothing", async () => {
  await board.click(".doing[data-space=demo] button:has-text('Pause the door')");
  await board.waitForSelector("dialog[open]");
  await words(board, "dialog h2", "Pause the door of “Demo");
  const focused = await board.evaluate(() => document.activeElement.textContent);
  if (focused !== "No") throw new Error(`the focus is on "${focused}"`);
  await noBarriers(board, "board-ask");
  await board.keyboard.press("Enter");
  await board.waitForSelector("dialog", { state: "detached" });
  if ((await house.api("GET", "/spaces/demo/door")).paused) throw new Error("the door is paused");
});
await test("the door is paused: a newcomer waits, who is inside hears on", async () => {
  await does("Pause the door", "Pause the door");
  // A dependency that answered slowly would come first in the heading.
  await words(board, "[data-part=spaces]", "paused");
  if (!(await house.api("GET", "/spaces/demo/door")).paused) throw new Error("the door is not paused");
  await shut();
  watched.newcomer = newcomer = await open(crowd, demo());
  // The page asks by itself, and is given a place.
  await newcomer.waitForSelector("#line");
  assertSound(await hear(inside, 3), 3);
  // Who was inside and loads the page anew comes back.
  await inside.reload();
  await until("the sound again, by itself", () => inside.evaluate(() => globalThis.hustings.player.state === "playing"));
  assertSound(await hear(inside, 2), 2);
  await words(newcomer, "#line-h", "You are in line.");
});
await test("a message is read by who listens and by who waits", async () => {
  await board.fill(".doing[data-space=demo] input[name=message]", "Ten minutes <b>late</b>, sorry");
  await does("Tell them", "Tell them");
  await words(inside, "#news", "Ten minutes <b>late</b>, sorry");
  await words(newcomer, "#news", "Ten minutes <b>late</b>, sorry", 40000);
  await noBarriers(inside, "message");
});
await test("the pause is undone from what happened: the newcomer comes in by itself", async () => {
  await board.click("button[aria-label*='the door is paused']");
  await board.click("dialog button:has-text('Open the door')");
  await board.waitForSelector("dialog", { state: "detached" });
  await until("the newcomer's sound", () => newcomer.evaluate(() => [...document.querySelectorAll("audio")].some((one) => !one.paused && one.currentTime > 0)), 70000);
  assertSound(await hear(newcomer, 2), 2);
  await words(board, "[data-part=log]", "the door is open again");
}, { ms: 90000 });
await test("the public's status page says it too", async () => {
  const text = await (await fetch(`${demo()}/status`)).text();
  if (!text.includes("It is live.") || !text.includes("Ten minutes &lt;b&gt;late&lt;/b&gt;, sorry")) throw new Error(text);
  const page = await open(crowd, `${demo()}/status`);
  await noBarriers(page, "status");
  await wide(page);
  await page.context().close();
});
await test("the chain's head stands there, and was sent to the webhook, signed", async () => {
  const head = JSON.parse((await until("a head", () => told.find((one) => JSON.parse(one.body).kind === "flight-head"))).body).about;
  const secret = readFileSync(join(house.data, "webhook-secret"), "utf8").trim();
  for (const { signature, body } of told) {
    const seconds = /^t=(\d+),/.exec(signature)[1];
    const tag = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
    if (signature !== `t=${seconds},v1=${tag}`) throw new Error(`${signature} is not of ${body}`);
  }
  const shown = /id="head">(\d+):([0-9a-f]+)</.exec(await (await fetch(`${demo()}/status`)).text());
  if (!shown || Number(shown[1]) < head.n || (Number(shown[1]) === head.n && shown[2] !== head.hash)) throw new Error(`${shown} beside ${JSON.stringify(head)}`);
});
await test("a rehearsal is seen, and ended", async () => {
  // A listener without script, as this one is, comes in again when the door has been calm for a while.
  await until("a calm door", async () => await mode() === "calm", 30000);
  const { permit, id } = await house.api("POST", "/rehearsals", { rate: 10, people: 5 });
  const sound = await fetch(`${demo()}/live.ogg`, { headers: { rehearsal: permit } });
  if (!sound.ok) throw new Error(`the rehearsal's sound: ${sound.status}`);
  const over = (async () => { for await (const _ of sound.body); })().catch(() => {});
  await words(board, `[data-rehearsal="${id}"]`, "1 listen of 5 permitted");
  await does("End it", "End the rehearsal");
  await over;
  const again = await fetch(`${demo()}/live.ogg`, { headers: { rehearsal: permit } });
  if (again.status !== 410) throw new Error(`it goes on: ${again.status}`);
  await words(board, `[data-rehearsal="${id}"]`, "ended by an operator");
  await words(board, "[data-part=log]", `The rehearsal ${id} was ended.`);
}, { ms: 75000 });
await test("the preflight looks and says what to do", async () => {
  const page = await open(crowd, "about:blank");
  await page.context().addCookies(await board.context().cookies());
  await page.goto(at());
  await page.selectOption("select[name=space]", "demo");
  await page.fill("input[name=expect]", "1");
  await page.click("button:has-text('Look')");
  await words(page, "#preflight h1", "No-go");
  await words(page, "[data-line=webhook]", "it took a message");
  await words(page, "[data-line=media]", "a STUN request came in");
  await words(page, "[data-line=uplink]", "Set --uplink");
  await noBarriers(page, "preflight");
  await wide(page);
  await page.context().close();
});
await test("without script the board is complete, and acts", async () => {
  const context = await crowd.newContext({ javaScriptEnabled: false, storageState: await board.context().storageState() });
  const page = await context.newPage();
  await page.goto(at());
  // The page is made anew every few seconds, and what was chosen stays unfolded.
  await page.click("[data-part=spaces] a:has-text('Demo')");
  await page.click(".doing[data-space=demo] button:has-text('Drop the public door')");
  await page.click("button:has-text('Drop the door')");
  await words(page, "[data-part=log]", "the public door is dropped");
  const answer = await fetch(`${demo()}/live.ogg`, { signal: AbortSignal.timeout(3000) });
  if (answer.ok) throw new Error("a stranger comes in by a dropped door");
  await shut();
  watched.late = late = await open(crowd, demo());
  await words(late, "#news", "Nobody new comes in for now.");
  await late.click("#listen");
  await words(late, "#listen b", "The door is closed");
  if (!(await late.title()).startsWith("Closed: ")) throw new Error(await late.title());
  await noBarriers(late, "door-closed");
  const line = await (await fetch(`${demo()}/line`)).text();
  if (!line.includes("The door is closed.") || line.includes("More people")) throw new Error(line);
  assertSound(await hear(inside, 2), 2);
  // Just loaded, it is not about to load itself anew under the press.
  await page.goto(`${at()}?open=demo`);
  await page.click(".doing[data-space=demo] button:has-text('Give the door back')");
  await page.click("button:has-text('Give it back')");
  // Who came while it was closed comes in by itself.
  await until("the latecomer's sound", () => late.evaluate(() => globalThis.hustings.player.state === "playing"), 40000);
  if ((await late.textContent("body")).includes("The door is closed.")) throw new Error("it still says that the door is closed");
  // A door that was shut is calm again after a while without a storm.
  await until("the door", async () => (await fetch(`${demo()}/live.ogg`, { signal: AbortSignal.timeout(1000) })).ok, 40000);
  await context.close();
}, { ms: 100000 });
ear.close();
await finish(crowd);
