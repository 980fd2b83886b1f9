// The microphone: opening it, what went wrong in words, and its level, also while muted.

/** ms between two looks at the level. */
const LOOK_MS = 80;
/** dB of full scale that the meter's ends stand for. */
const FLOOR_DB = -60;
/** Zeros for this long (ms) are no microphone but a switched-off one. */
const ZEROS_MS = 3000;

const raw = new URLSearchParams(location.search).has("raw");

export const WORDS = {
  NotAllowedError: ["The browser keeps your microphone closed.", "You said no once, or it is set so. Open the lock beside the address, allow the microphone, then press again."],
  NotFoundError: ["No microphone was found.", "Plug one in; this notice goes by itself."],
  NotReadableError: ["Another program holds your microphone.", "Close it, or choose another."],
  insecure: ["The browser opens microphones only on secure pages.", "Open this page with https, or on the machine itself."],
  other: ["The microphone could not be opened.", "Choose another, or try again."],
};

export const levelWords = (level) => (level < 0.06 ? "nothing" : level < 0.4 ? "too quiet" : level < 0.55 ? "quiet" : level <= 0.85 ? "good" : "too loud");

/** Events: level (detail: 0..1), zeros (detail: boolean), gone (the device was unplugged). */
export class Mic extends EventTarget {
  track = null;
  stream = null;
  level = 0;
  #context = null;
  #copy = null;
  #timer = 0;
  #zerosSince = 0;
  #zeros = false;

  /** Throws an Error with `words`: [what is, what to do]. */
  async open(device) {
    if (!navigator.mediaDevices?.getUserMedia) throw Object.assign(new Error("insecure"), { words: WORDS.insecure });
    const on = !raw;
    const audio = { echoCancellation: on, noiseSuppression: on, autoGainControl: on, channelCount: 1, ...(device ? { deviceId: { exact: device } } : {}) };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw Object.assign(error, { words: WORDS[error.name] ?? WORDS.other });
    }
    this.close();
    this.stream = stream;
    [this.track] = stream.getAudioTracks();
    this.track.contentHint = on ? "speech" : "music";
    this.track.addEventListener("ended", () => this.dispatchEvent(new Event("gone")));
    // A muted track gives zeros; its copy goes on giving the level.
    this.#copy = this.track.clone();
    this.#copy.enabled = true;
    this.#meter();
    return this.track;
  }

  close() {
    clearInterval(this.#timer);
    this.#context?.close().catch(() => {});
    this.#context = null;
    this.#copy?.stop();
    this.track?.stop();
    this.track = this.stream = this.#copy = null;
  }

  /** [{id, name}] of what can be chosen. Names are known once one was opened. */
  async devices() {
    const all = await navigator.mediaDevices?.enumerateDevices?.() ?? [];
    return all.filter((one) => one.kind === "audioinput" && one.deviceId !== "communications").map((one, i) => ({ id: one.deviceId, name: one.label || `Microphone ${i + 1}` }));
  }

  get device() {
    return this.track?.getSettings().deviceId ?? "";
  }

  #meter() {
    const context = new AudioContext();
    this.#context = context;
    const analyser = context.createAnalyser();
    analyser.fftSize = 2048;
    context.createMediaStreamSource(new MediaStream([this.#copy])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#zerosSince = 0;
    this.#timer = setInterval(() => {
      if (context.state === "suspended") context.resume().catch(() => {});
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      const rms = Math.sqrt(sum / samples.length);
      const now = rms ? Math.min(1, Math.max(0, 1 - (20 * Math.log10(rms)) / FLOOR_DB)) : 0;
      // Up at once, down slowly: as eyes read a meter.
      this.level = Math.max(now, this.level - 0.06);
      this.dispatchEvent(new CustomEvent("level", { detail: this.level }));
      if (rms > 0 || context.state !== "running") this.#zerosSince = 0;
      else this.#zerosSince ||= performance.now();
      const zeros = this.#zerosSince > 0 && performance.now() - this.#zerosSince > ZEROS_MS;
      if (zeros !== this.#zeros) {
        this.#zeros = zeros;
        this.dispatchEvent(new CustomEvent("zeros", { detail: zeros }));
      }
    }, LOOK_MS);
  }
}
