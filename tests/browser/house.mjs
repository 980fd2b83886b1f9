// The real server on free ports and an empty data folder, and its API as an operator calls it.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** ms for a start and for an end. */
const START_MS = 15000, STOP_MS = 10000;

const freePort = async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
};

/** Asks until `look` gives something that is true; its last error is told when it never does. */
export const until = async (what, look, ms = 15000) => {
  const end = Date.now() + ms;
  let last = "";
  while (Date.now() < end) {
    try { const seen = await look(); if (seen) return seen; } catch (error) { last = `: ${error.message}`; }
    await new Promise((go) => setTimeout(go, 50));
  }
  throw new Error(`${what} did not come within ${ms / 1000} s${last}`);
};

export class House {
  data = mkdtempSync(join(tmpdir(), "hustings-test-"));
  log = "";
  tls = [];
  #child = null;

  constructor(binary, ports) {
    this.binary = binary;
    [this.listen, this.media, this.stagePort, this.operator] = ports;
    this.public = `http://127.0.0.1:${this.listen}`;
    this.stage = `http://127.0.0.1:${this.stagePort}`;
  }

  static async on(binary) {
    const ports = [];
    while (ports.length < 4) {
      const port = await freePort();
      if (!ports.includes(port)) ports.push(port);
    }
    return new House(binary, ports);
  }

  /** From the next start on it speaks TLS, by a certificate that the test has made itself. */
  secure(folder) {
    const files = [join(folder, "cert.pem"), join(folder, "key.pem")];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
      "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]], { stdio: ["ignore", "ignore", "pipe"] });
    // Only this process believes it, and it talks to nobody else.
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    this.public = this.public.replace("http:", "https:");
    this.stage = this.stage.replace("http:", "https:");
    this.tls = ["--tls-cert", files[0], "--tls-key", files[1]];
  }

  /** A number of the operator's metrics. */
  async metric(name) {
    const text = await (await fetch(`http://127.0.0.1:${this.operator}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${name} `));
    if (!line) throw new Error(`no metric ${name}`);
    return Number(line.split(" ")[1]);
  }

  async start(...more) {
    const at = (port) => `127.0.0.1:${port}`;
    this.#child = spawn(this.binary, ["serve", "--data", this.data, "--listen", at(this.listen), "--media", at(this.media),
      "--stage", at(this.stagePort), "--operator", at(this.operator), ...this.tls, ...more], { stdio: ["ignore", "pipe", "pipe"] });
    for (const out of [this.#child.stdout, this.#child.stderr]) out.on("data", (text) => { this.log += text; });
    const child = this.#child;
    await until("the server's page", async () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      // The operator's listener is the last to open.
      return (await fetch(`${this.public}/`)).ok && (await fetch(`http://127.0.0.1:${this.operator}/healthz`)).ok;
    }, START_MS);
    this.token = readFileSync(join(this.data, "operator-token"), "utf8").trim();
  }

  /** kill -9: nothing is told to anybody. */
  async kill() {
    if (!this.#child || this.#child.exitCode !== null || this.#child.signalCode) return;
    const gone = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await gone;
  }

  /** SIGTERM; gives the exit code. */
  async stop() {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode) return child?.exitCode;
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    const [code] = await gone;
    clearTimeout(timer);
    return code;
  }

  clean() {
    rmSync(this.data, { recursive: true, force: true });
  }

  async api(method, path, body) {
    const answer = await fetch(`${this.stage}/api/v1${path}`, {
      method, headers: { authorization: `Bearer ${this.token}`, ...(body ? { "content-type": "application/json" } : {}) },
      body: body && JSON.stringify(body), signal: AbortSignal.timeout(10000),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}
