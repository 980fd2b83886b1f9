// Tones: made into files, and found again in what came out at the other end.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";

/** Seconds that each tone of a sequence lasts. */
export const TONE_S = 0.5;
/** Hz. Three voices that share no tone. */
export const HOST_TONES = [440, 620, 830, 1090];
export const GUEST_TONES = [1500, 1850, 2290, 2770];
export const THIRD_TONES = [3240, 3690, 4180, 4720];
const RATE = 48000;
/** Seconds of one look at the spectrum. */
const LOOK_S = 0.05;
/** A tone counts as there when it holds this share of a look's power. */
const SHARE_MIN = 0.3;
/** RMS below this is silence (full scale is 1). */
const SILENCE = 0.003;

/** A WAV file with the tones one after another, twice around; the fake microphone repeats it. */
export const writeTones = (path, tones) => {
  const each = TONE_S * RATE, count = tones.length * 2 * each;
  const wav = Buffer.alloc(44 + count * 2);
  wav.write("RIFF"); wav.writeUInt32LE(36 + count * 2, 4); wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16); wav.writeUInt16LE(1, 20); wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(RATE, 24); wav.writeUInt32LE(RATE * 2, 28); wav.writeUInt16LE(2, 32); wav.writeUInt16LE(16, 34);
  wav.write("data", 36); wav.writeUInt32LE(count * 2, 40);
  for (let i = 0; i < count; i += 1) {
    const hz = tones[Math.floor(i / each) % tones.length];
    wav.writeInt16LE(Math.round(Math.sin((2 * Math.PI * hz * i) / RATE) * 9000), 44 + i * 2);
  }
  writeFileSync(path, wav);
};

/** A WAV file with one tone; whole waves in `seconds`, so that it has no seam when it is played again and again. */
export const writeTone = (path, hz, seconds) => {
  const count = seconds * RATE, wav = Buffer.alloc(44 + count * 2);
  wav.write("RIFF"); wav.writeUInt32LE(36 + count * 2, 4); wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16); wav.writeUInt16LE(1, 20); wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(RATE, 24); wav.writeUInt32LE(RATE * 2, 28); wav.writeUInt16LE(2, 32); wav.writeUInt16LE(16, 34);
  wav.write("data", 36); wav.writeUInt32LE(count * 2, 40);
  for (let i = 0; i < count; i += 1) wav.writeInt16LE(Math.round(Math.sin((2 * Math.PI * hz * i) / RATE) * 9000), 44 + i * 2);
  writeFileSync(path, wav);
};

/** Decodes a file or an address with ffmpeg: {pcm, rate, complaints}. */
export const decode = (from, seconds, ...options) => new Promise((done, failed) => {
  const limit = seconds ? ["-t", String(seconds)] : [];
  const args = ["-nostdin", "-v", "warning", ...options, "-i", from, ...limit, "-f", "s16le", "-ac", "1", "-ar", String(RATE), "-"];
  execFile("ffmpeg", args, { encoding: "buffer", maxBuffer: 1 << 28, timeout: 40000 }, (error, out, err) => {
    if (error) return failed(new Error(`ffmpeg ${from}: ${error.message} ${err}`));
    const pcm = new Float32Array(out.length >> 1);
    for (let i = 0; i < pcm.length; i += 1) pcm[i] = out.readInt16LE(i * 2) / 32768;
    done({ pcm, rate: RATE, complaints: err.toString().trim() });
  });
});

export const rms = (pcm) => Math.sqrt(pcm.reduce((sum, x) => sum + x * x, 0) / Math.max(1, pcm.length));

export const assertSound = ({ pcm, rate }, seconds) => {
  const length = pcm.length / rate;
  if (length < seconds) throw new Error(`only ${length.toFixed(1)} s of sound came, not ${seconds} s`);
  if (rms(pcm) < SILENCE) throw new Error(`it is silent: RMS ${rms(pcm)}`);
};

/** Share of the power of `pcm[from..to]` that lies in `hz` (Goertzel). */
const share = (pcm, rate, from, to, hz) => {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let one = 0, two = 0, power = 0;
  for (let i = from; i < to; i += 1) {
    const now = pcm[i] + turn * one - two;
    two = one; one = now; power += pcm[i] * pcm[i];
  }
  const energy = one * one + two * two - turn * one * two;
  return power === 0 ? 0 : (2 * energy) / (power * (to - from));
};

/** Seconds of one look at a tone's level and phase: whole waves of every tone that is a multiple of 40 Hz. */
const STEADY_LOOK_S = 0.025;

/** How steady one tone sounds from its first sample on: `silentMs` is the longest silence; `level` the lowest and highest level
 * as a share of the middle one; `turn` the largest jump of the phase between two looks, in radians; `share` what is the tone. */
export const steadiness = ({ pcm, rate }, hz) => {
  const first = pcm.findIndex((x) => Math.abs(x) > SILENCE);
  const whole = first < 0 ? pcm : pcm.subarray(first);
  let silent = 0, longest = 0, silentAt = 0;
  for (let i = 0; i < whole.length; i += 1) {
    silent = Math.abs(whole[i]) < SILENCE ? silent + 1 : 0;
    if (silent > longest) { longest = silent; silentAt = i / rate; }
  }
  // The element may fade in.
  const steady = whole.subarray(Math.round(rate / 2)), step = Math.round(STEADY_LOOK_S * rate);
  const levels = [];
  let last = null, turn = 0, turnAt = 0, tone = 0;
  for (let from = 0; from + step <= steady.length; from += step) {
    let re = 0, im = 0;
    for (let i = from; i < from + step; i += 1) {
      const angle = (2 * Math.PI * hz * i) / rate;
      re += steady[i] * Math.cos(angle); im += steady[i] * Math.sin(angle);
    }
    const phase = Math.atan2(im, re);
    const moved = last === null ? 0 : Math.abs(Math.atan2(Math.sin(phase - last), Math.cos(phase - last)));
    if (moved > turn) { turn = moved; turnAt = from / rate; }
    last = phase;
    const level = rms(steady.subarray(from, from + step));
    levels.push(level);
    tone += level && ((Math.hypot(re, im) / step) * Math.SQRT2 / level) ** 2;
  }
  const sorted = [...levels].sort((a, b) => a - b), middle = sorted[sorted.length >> 1] || 1;
  return {
    seconds: whole.length / rate, silentMs: (longest / rate) * 1000, silentAt, level: [(sorted[0] ?? 0) / middle, (sorted.at(-1) ?? 0) / middle],
    turn, turnAt, share: tone / Math.max(1, levels.length),
  };
};

/** No silence of 20 ms, no jump of level or phase, for at least `seconds`. */
export const assertSteady = (sound, hz, seconds) => {
  const heard = steadiness(sound, hz);
  const words = JSON.stringify(heard);
  if (heard.seconds < seconds) throw new Error(`only ${heard.seconds} s were heard, not ${seconds}: ${words}`);
  if (heard.silentMs >= 20) throw new Error(`it was silent: ${words}`);
  if (heard.level[0] < 0.9 || heard.level[1] > 1.1) throw new Error(`the level jumped: ${words}`);
  if (heard.turn > 0.3) throw new Error(`the tone jumped: ${words}`);
  if (heard.share < 0.99) throw new Error(`it was not the tone: ${words}`);
  return heard;
};

/** Stretches in which one of `tones` stands out: [{tone: index, at, for}] in seconds. */
export const stretches = ({ pcm, rate }, tones, shareMin = SHARE_MIN) => {
  const step = Math.round(LOOK_S * rate), found = [];
  for (let from = 0; from + step <= pcm.length; from += step) {
    if (rms(pcm.subarray(from, from + step)) < SILENCE) continue;
    const shares = tones.map((hz) => share(pcm, rate, from, from + step, hz));
    const tone = shares.indexOf(Math.max(...shares));
    if (shares[tone] < shareMin) continue;
    const last = found.at(-1), at = from / rate;
    if (last?.tone === tone && at - last.at - last.for < 3 * LOOK_S) last.for = at + LOOK_S - last.at;
    else found.push({ tone, at, for: LOOK_S });
  }
  return found.filter((one) => one.for > 2 * LOOK_S);
};

/** The tones follow each other in their order and each lasts as long as it was played, for at least `seconds` together. */
export const assertTones = (sound, tones, seconds, shareMin) => {
  const found = stretches(sound, tones, shareMin);
  const words = found.map((one) => `${tones[one.tone]} Hz ${one.at.toFixed(2)}+${one.for.toFixed(2)}`).join(", ");
  const inOrder = found.filter((one, i) => i > 0 && one.tone === (found[i - 1].tone + 1) % tones.length
    && Math.abs(one.at - found[i - 1].at - TONE_S) < 0.16);
  const together = inOrder.length * TONE_S;
  if (together < seconds) throw new Error(`${together} s of the tones came in order and time, not ${seconds} s: ${words || "none"} (RMS ${rms(sound.pcm).toFixed(4)})`);
  return found;
};

/** Nothing of `tones` is in the sound: their share of it stays below two hundredths. */
export const assertNoTones = (sound, tones) => {
  const found = stretches(sound, tones, 0.02);
  if (found.length) throw new Error(`heard, and not to be: ${found.map((one) => `${tones[one.tone]} Hz ${one.at.toFixed(2)}+${one.for.toFixed(2)}`).join(", ")}`);
};
