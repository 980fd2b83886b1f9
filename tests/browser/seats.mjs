// A space whose seats are taken by sockets, and what a page at its door shows.

import { connect } from "node:net";
import { join } from "node:path";
import { barriers } from "./browsers.mjs";
import { until } from "./house.mjs";
import { DESK, house, settled, words } from "./suite.mjs";

const shots = process.env.SHOTS ?? "target/shots";
export const SMALL = { width: 360, height: 740 }, LARGE = { width: 1280, height: 800 };
export const url = (id = "demo") => `${house.public}/s/${id}`;
export const serving = async (id) => (await fetch(`${url(id)}/serving.json`)).json();
export const standing = (id) => house.api("GET", `/spaces/${id}/door`);

/** A listener that is nothing but a socket, from a prefix of its own: it has its seat as long as it is open. `right`: as in the address of the sound. */
export const sit = async (id, from, right = "") => {
  const socket = connect({ port: house.listen, host: "127.0.0.1", localAddress: `127.7.${from}.1` });
  let got = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => { if (got.length < 200) got += bytes.toString("latin1"); });
  socket.write(`GET /s/${id}/live.ogg?burst=short${right} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n`);
  await until("an answer", () => got.includes("\r\n\r\n"));
  return { socket, status: Number(got.slice(9, 12)), leave: () => socket.destroy() };
};

export const plays = (of, ms = 20000) => until("the sound", () => of.evaluate(() => globalThis.hustings.player.state === "playing" && globalThis.hustings.audio.currentTime > 0), ms);
export const doorOf = (of) => of.evaluate(() => ({ state: globalThis.hustings.door.state, line: globalThis.hustings.door.line, player: globalThis.hustings.player.state }));
export const inLine = async (of) => {
  await until("the line", async () => (await doorOf(of)).state === "wait");
  await words(of, "#line-h", "You are in line");
};
/** Pictures, and what axe finds, on a small and a large screen, light and dark. Rules of `but` do not count. */
export const look = async (of, name, but = []) => {
  const wrong = [];
  for (const [size, viewport] of [["360", SMALL], ["1280", LARGE]]) {
    for (const colorScheme of ["light", "dark"]) {
      await of.setViewportSize(viewport);
      await of.emulateMedia({ colorScheme });
      await settled(of);
      await of.screenshot({ path: join(shots, `${name}-${colorScheme}-${size}.png`), fullPage: true });
      wrong.push(...(await barriers(of)).filter((one) => !but.some((rule) => one.startsWith(`${rule} `))).map((one) => `${size} ${colorScheme}: ${one}`));
      const over = await of.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) wrong.push(`${over} px wider than ${size}`);
    }
  }
  await of.setViewportSize(DESK);
  await of.emulateMedia({ colorScheme: "light" });
  if (wrong.length) throw new Error(wrong.join("\n"));
};
