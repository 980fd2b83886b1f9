// Speaking and hearing the others in one connection (WHIP, RFC 9725, sendrecv). Comes back by itself.

import { backoff, sleep } from "./util.js";

/** ms that ICE may be disconnected before a new offer is made: the seat is kept for 30 s, the sound should not wait. */
const LOST_MS = 700;
/** ms for gathering; the server is reached by its own candidates, ours are only learned sooner. */
const GATHER_MS = 400;
/** ms from the answer to a connection. */
const CONNECT_MS = 10000;
/** ms between two looks whether sound comes, and ms after the connection when the looks end. */
const FLOWS_LOOK_MS = 50, FLOWS_MS = 10000;
/** ms that the connection stays open for the stage to answer a goodbye. */
const GOODBYE_MS = 2000;

/**
 * Events: state (detail: connecting, connected, lost, refused, closed), sound (detail: MediaStream of the others, silent until
 * there is a connection), flows (their sound comes, perhaps of silence).
 */
export class Whip extends EventTarget {
  state = "closed";
  /** What the server said when it refused. */
  reason = "";
  #url;
  #stage;
  #track;
  #pc = null;
  #resource = "";
  #round = 0;
  #timer = 0;
  #bye = () => this.#hangUp(true);

  constructor(stage, space, track) {
    super();
    this.#stage = stage;
    this.#url = `${stage}/s/${space}/whip`;
    this.#track = track;
  }

  async open() {
    addEventListener("pagehide", this.#bye);
    const round = ++this.#round;
    for (let attempt = 0; round === this.#round; attempt += 1) {
      this.#to(attempt || this.state === "lost" ? "lost" : "connecting");
      const end = await this.#offer(round).catch((error) => ({ again: true, reason: error.message }));
      if (round !== this.#round) return;
      if (!end.again) { if (end.refused) { this.reason = end.reason; this.#to("refused"); } return; }
      await sleep(backoff(attempt, 250, 5000));
    }
  }

  close() {
    this.#round += 1;
    removeEventListener("pagehide", this.#bye);
    this.#hangUp(false);
    this.#to("closed");
  }

  /** Another microphone, without a new connection. */
  async replace(track) {
    this.#track = track;
    await this.#pc?.getSenders()[0]?.replaceTrack(track);
  }

  #to(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  #credentials() {
    return this.#stage ? "include" : "same-origin";
  }

  async #offer(round) {
    this.#pc?.close();
    const pc = new RTCPeerConnection();
    this.#pc = pc;
    pc.addTransceiver(this.#track, { direction: "sendrecv", streams: [new MediaStream([this.#track])] });
    pc.addEventListener("track", ({ track, streams }) => this.dispatchEvent(new CustomEvent("sound", { detail: streams[0] ?? new MediaStream([track]) })));
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    if (round !== this.#round) { pc.close(); return {}; }
    const answer = await fetch(this.#url, {
      method: "POST", credentials: this.#credentials(), headers: { "content-type": "application/sdp" }, body: pc.localDescription.sdp, signal: AbortSignal.timeout?.(CONNECT_MS),
    });
    const words = await answer.text();
    if (answer.status !== 201) {
      pc.close();
      let detail = "";
      try { detail = JSON.parse(words).detail; } catch { /* the status says enough */ }
      const again = answer.status >= 500 || answer.status === 408 || answer.status === 429;
      return { again, refused: !again, reason: detail || `The stage answered ${answer.status}.` };
    }
    const location = answer.headers.get("location");
    this.#resource = location ? new URL(location, new URL(this.#url, document.baseURI)).href : "";
    await pc.setRemoteDescription({ type: "answer", sdp: words });
    const connected = await new Promise((done) => {
      const timer = setTimeout(() => done(false), CONNECT_MS);
      const look = () => {
        if (pc.connectionState === "connected") done(true);
        else if (pc.connectionState === "failed" || pc.connectionState === "closed") done(false);
        else return;
        clearTimeout(timer);
      };
      pc.addEventListener("connectionstatechange", look);
      look();
    });
    if (round !== this.#round) { pc.close(); return {}; }
    if (!connected) { pc.close(); return { again: true }; }
    this.#to("connected");
    this.#guard(pc, round);
    this.#listen(pc);
    return {};
  }

  /** A track is there before its sound is: only a source that was played from says that sound comes. */
  async #listen(pc) {
    for (const end = performance.now() + FLOWS_MS; pc === this.#pc && performance.now() < end; await sleep(FLOWS_LOOK_MS)) {
      if (!pc.getReceivers().some((one) => one.getSynchronizationSources().length)) continue;
      this.dispatchEvent(new Event("flows"));
      return;
    }
  }

  /** A connection that is gone for 700 ms is replaced by a new one, in the same seat. */
  #guard(pc, round) {
    const again = () => {
      clearTimeout(this.#timer);
      if (round !== this.#round || pc !== this.#pc) return;
      this.#to("lost");
      pc.close();
      this.open();
    };
    const look = () => {
      if (pc !== this.#pc) return;
      clearTimeout(this.#timer);
      if (pc.connectionState === "failed") again();
      else if (pc.iceConnectionState === "disconnected" || pc.connectionState === "disconnected") this.#timer = setTimeout(again, LOST_MS);
    };
    pc.addEventListener("connectionstatechange", look);
    pc.addEventListener("iceconnectionstatechange", look);
    look();
  }

  /** The stage is told before the connection closes: one that only closes is held for lost, and its seat is kept. */
  async #hangUp(leaving) {
    clearTimeout(this.#timer);
    const pc = this.#pc, resource = this.#resource;
    this.#pc = null;
    this.#resource = "";
    const told = resource ? fetch(resource, { method: "DELETE", credentials: this.#credentials(), keepalive: leaving, signal: AbortSignal.timeout?.(GOODBYE_MS) }).catch(() => {}) : null;
    if (!leaving) await told;
    pc?.close();
  }
}

const gathered = (pc) => new Promise((done) => {
  const timer = setTimeout(done, GATHER_MS);
  const look = () => { if (pc.iceGatheringState === "complete") { clearTimeout(timer); done(); } };
  pc.addEventListener("icegatheringstatechange", look);
  look();
});
