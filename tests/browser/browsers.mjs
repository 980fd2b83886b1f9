// Chromium with a fake microphone, Firefox with a sound device of its own, and what a page of either lets be heard.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";
import { until } from "./house.mjs";

const FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-quic", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A Chromium whose microphone plays `tones` (a WAV file) again and again. */
export const openChromium = (tones) => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: tones ? [...FLAGS, `--use-file-for-fake-audio-capture=${tones}`] : FLAGS,
});

/**
 * PulseAudio with a sink that goes nowhere: Firefox' sound stands still without a device. With `tones` (a WAV file) it also
 * has a microphone that plays them again and again.
 */
export const openSpeakers = async (tones) => {
  const home = mkdtempSync(join(tmpdir(), "hustings-pulse-"));
  const socket = join(home, "native");
  mkdirSync(join(home, "run"));
  // The microphone is what is played into a second sink. It is no monitor to its users: browsers offer those last or not at all.
  const mic = ["module-null-sink sink_name=voice", "module-remap-source master=voice.monitor source_name=microphone", "module-null-sink sink_name=ears"];
  const modules = tones ? mic : ["module-null-sink"];
  const child = spawn("pulseaudio", ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes",
    ...modules.map((one) => `--load=${one}`), `--load=module-native-protocol-unix socket=${socket} auth-anonymous=1`],
  { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: join(home, "run") } });
  let log = "";
  child.stderr.on("data", (text) => { log += text; });
  const env = { PULSE_SERVER: `unix:${socket}` };
  const all = { ...process.env, ...env };
  await until("the sound device", () => {
    if (child.exitCode !== null) throw new Error(log);
    return existsSync(socket);
  });
  let voice;
  if (tones) {
    for (const [what, which] of [["sink", "ears"], ["source", "microphone"]]) execFileSync("pactl", [`set-default-${what}`, which], { env: all, timeout: 5000 });
    voice = spawn("ffmpeg", ["-nostdin", "-v", "error", "-stream_loop", "-1", "-i", tones, "-f", "pulse", "-device", "voice", "tones"], { stdio: "ignore", env: all });
  }
  return { env, close: () => { voice?.kill(); child.kill(); rmSync(home, { recursive: true, force: true }); } };
};

const networked = () => Object.values(networkInterfaces()).flat().some(({ internal, family }) => !internal && family === "IPv4");

/** `more`: settings beside those that every test needs. */
export const openFirefox = (env, more = {}) => puppeteer.launch({
  browser: "firefox",
  executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
  headless: true,
  env: { ...process.env, ...env },
  extraPrefsFirefox: {
    "media.autoplay.default": 0, "media.cubeb.backend": "pulse-rust", "media.cubeb.sandbox": false,
    // The microphone is given without a question.
    "media.navigator.permission.disabled": true,
    // Firefox speaks to this machine by its network's address, as users' Firefoxes do; where there is no network, by loopback.
    "media.peerconnection.ice.loopback": !networked(),
    ...more,
  },
});

/** Taps the page's playing <audio> for some seconds: {pcm, rate}. Works in pages of both drivers. */
export const hear = async (page, seconds) => {
  const { rate, bytes } = await page.evaluate(async (wanted) => {
    const audio = [...document.querySelectorAll("audio")].find((one) => !one.paused) ?? document.querySelector("audio");
    if (!audio) throw new Error("the page has no sound element");
    // An element that was put in anew, or has another source, is tapped anew.
    const { tap } = window;
    if (tap && (tap.audio !== audio || tap.track?.readyState === "ended")) {
      await tap.context.close();
      window.tap = null;
    }
    if (!window.tap) {
      const context = new AudioContext();
      const stream = audio.srcObject ?? audio.captureStream?.();
      // An element that has just got a new source has its track a moment later.
      if (stream && !stream.getAudioTracks().length) await new Promise((come) => stream.addEventListener("addtrack", come, { once: true }));
      const source = stream ? context.createMediaStreamSource(stream) : context.createMediaElementSource(audio);
      const node = context.createScriptProcessor(4096, 1, 1);
      source.connect(node);
      node.connect(context.destination);
      await context.resume();
      window.tap = { context, node, audio, track: stream?.getAudioTracks()[0] };
    }
    const { context, node } = window.tap;
    const blocks = [];
    let have = 0;
    await new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`${have} samples came; context ${context.state}, audio at ${audio.currentTime}, paused ${audio.paused}`)), (wanted + 8) * 1000);
      node.onaudioprocess = ({ inputBuffer }) => {
        const block = inputBuffer.getChannelData(0).slice();
        if (!have && block.every((x) => x === 0) && audio.paused) return;
        blocks.push(block);
        have += block.length;
        if (have >= wanted * context.sampleRate) { clearTimeout(timer); node.onaudioprocess = null; done(); }
      };
    });
    const all = new Int16Array(have);
    let at = 0;
    for (const block of blocks) for (const x of block) { all[at] = Math.max(-1, Math.min(1, x)) * 32767; at += 1; }
    let text = "";
    const raw = new Uint8Array(all.buffer);
    for (let i = 0; i < raw.length; i += 8192) text += String.fromCharCode(...raw.subarray(i, i + 8192));
    return { rate: context.sampleRate, bytes: btoa(text) };
  }, seconds);
  const raw = Buffer.from(bytes, "base64");
  return { rate, pcm: Float32Array.from({ length: raw.length >> 1 }, (_, i) => raw.readInt16LE(i * 2) / 32768) };
};

/** What axe-core finds wrong on the page, in words; empty when nothing. */
export const barriers = async (page) => {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.map((one) => `${one.id} (${one.help}): ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ""}`).join("; ")}`);
  });
  return found;
};

/** Fails when the page says something on its console that is an error of ours (a lost server is not). */
export const watchErrors = (page, errors) => {
  page.on("pageerror", (error) => errors.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && /Content.Security.Policy|Refused to|is not defined|TypeError/.test(message.text())) errors.push(`${page.url()}: ${message.text()}`);
  });
};
