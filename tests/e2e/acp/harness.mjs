// Starts an agent with the official SDK as its client, and checks every frame that the agent sends against the JSON
// schema in the SDK's package: the SDK itself forgives a lot.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { after } from "node:test";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

function skip(why) {
  console.error(`skipped: ${why}`);
  process.exit(77);
}
if (Number(process.versions.node.split(".")[0]) < 18) skip("node is older than version 18");
const sdkFolder = process.env.ACP_SDK;
export const program = process.env.GPTOSS_PROGRAM;
export const scripted = process.env.GPTOSS_SCRIPTED_AGENT;
if (!sdkFolder || !existsSync(join(sdkFolder, "node_modules")))
  skip("the SDK of ACP is not there; tools/fetch_test_data.sh fetches it");
const sdk = join(sdkFolder, "node_modules/@agentclientprotocol/sdk");
export const acp = await import(pathToFileURL(join(sdk, "dist/v1/stable/acp.js")));
const Ajv = createRequire(join(sdkFolder, "x.js"))("ajv/dist/2020").default;

// ---- the schema, made strict -------------------------------------------------------------------------------

const schema = JSON.parse(readFileSync(join(sdk, "schema/v1/schema.json"), "utf8"));
// Root keys are the protocol's: what a type does not name may not be sent.
function close(node) {
  if (Array.isArray(node)) return node.forEach(close);
  if (!node || typeof node !== "object") return;
  const closable = (s) => s && typeof s === "object" && (s.$ref || s.allOf || s.oneOf || s.anyOf);
  for (const part of Object.values(node.properties ?? {})) if (closable(part)) part.unevaluatedProperties = false;
  if (closable(node.items)) node.items.unevaluatedProperties = false;
  Object.values(node).forEach(close);
}
close(schema.$defs);
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(schema, "acp");
const validators = new Map();
function validator(method, suffix) {
  const key = method + suffix;
  if (!validators.has(key)) {
    const name = Object.keys(schema.$defs).find(
      (n) => schema.$defs[n]["x-method"] === method && n.endsWith(suffix));
    validators.set(key, name && ajv.compile({ $ref: `acp#/$defs/${name}`, unevaluatedProperties: false }));
  }
  return validators.get(key);
}

// ---- a running agent ---------------------------------------------------------------------------------------

// All in one folder, which goes at the end; so do agents that a failed test has left.
const folder = mkdtempSync(join(tmpdir(), "gptoss-acp-"));
const started = new Set();
after(async () => {
  for (const agent of started) {
    agent.child.kill("SIGKILL");
    await agent.exited;
  }
  rmSync(folder, { recursive: true, force: true });
});
export function temporaryFolder() {
  return mkdtempSync(join(folder, "x"));
}

export class Agent {
  // `home`: where it keeps its state; a new folder unless one is given. `handlers`: more requests that the client answers,
  // by method.
  constructor({ command = scripted, args = [], home = temporaryFolder(), env = {}, onPermission, onRead, handlers = {} } = {}) {
    started.add(this);
    this.home = home;
    this.frames = []; // {from, at, frame}
    this.faults = [];
    this.asked = new Map(); // our ids -> methods
    this.theirs = new Map(); // ids of the agent -> methods
    this.updates = [];
    this.permissions = [];
    this.stderr = "";
    this.waiting = [];
    this.child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: home, GPTOSS_STATE_DIR: join(home, "state"), GPTOSS_CONFIG: "/nonexistent/config.toml",
             LANG: "C.UTF-8", ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? "", TSAN_OPTIONS: process.env.TSAN_OPTIONS ?? "", ...env },
    });
    this.exited = new Promise((resolve) => this.child.on("exit", (code, signal) => {
      started.delete(this);
      resolve({ code, signal });
    }));
    this.child.stderr.on("data", (data) => (this.stderr += data));
    this.child.stdin.on("error", () => {});
    const fromAgent = Readable.toWeb(this.child.stdout).pipeThrough(this.tap("agent"));
    const toAgent = this.tap("client");
    toAgent.readable.pipeTo(Writable.toWeb(this.child.stdin)).catch(() => {});
    this.input = toAgent.writable;
    let client = acp.client({ name: "test" });
    for (const [method, handler] of Object.entries(handlers)) client = client.onRequest(method, handler);
    this.connection = client
      .onRequest(acp.methods.client.session.requestPermission, async ({ params, signal }) => {
        this.permissions.push(params);
        this.wake();
        const answer = onPermission ? await onPermission(params, signal) : params.options[0].optionId;
        return answer === null ? { outcome: { outcome: "cancelled" } } : { outcome: { outcome: "selected", optionId: answer } };
      })
      .onRequest(acp.methods.client.fs.readTextFile, ({ params }) => {
        if (!onRead) throw acp.RequestError.methodNotFound("fs/read_text_file");
        return { content: onRead(params) };
      })
      .onNotification(acp.methods.client.session.update, ({ params }) => {
        this.updates.push(params);
        this.wake();
      })
      .connect(acp.ndJsonStream(toAgent.writable, fromAgent));
    this.agent = this.connection.agent;
  }

  // Passes bytes on and reads them as frames.
  tap(from) {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let held = "";
    return new TransformStream({
      transform: (chunk, controller) => {
        controller.enqueue(chunk);
        try {
          held += decoder.decode(chunk, { stream: true });
        } catch (error) {
          this.faults.push(`${from}: not UTF-8: ${error}`);
        }
        let end;
        while ((end = held.indexOf("\n")) >= 0) {
          this.frame(from, held.slice(0, end));
          held = held.slice(end + 1);
        }
      },
    });
  }

  frame(from, line) {
    let frame;
    try {
      frame = JSON.parse(line);
    } catch {
      if (from === "agent") this.faults.push(`not JSON: ${line.slice(0, 200)}`);
      return;
    }
    this.frames.push({ from, at: performance.now(), frame });
    if (from === "client") {
      if (frame && frame.method && frame.id !== undefined) this.asked.set(JSON.stringify(frame.id), frame.method);
    } else {
      this.check(frame, line);
    }
    this.wake();
  }

  check(frame, line) {
    const fault = (what) => this.faults.push(`${what}: ${line.slice(0, 600)}`);
    if (typeof frame !== "object" || frame === null || Array.isArray(frame)) return fault("no object");
    if (frame.jsonrpc !== "2.0") fault("jsonrpc is not 2.0");
    const known = ["jsonrpc", "id", "method", "params", "result", "error"];
    for (const key of Object.keys(frame)) if (!known.includes(key)) fault(`unknown key ${key}`);
    if (frame.method !== undefined) {
      if ("result" in frame || "error" in frame) fault("a method with a result");
      if (frame.id !== undefined) this.theirs.set(JSON.stringify(frame.id), frame.method);
      const check = validator(frame.method, frame.id === undefined ? "Notification" : "Request");
      if (!check) return fault("unknown method");
      if (!check(frame.params)) fault(ajv.errorsText(check.errors));
      return;
    }
    if (("result" in frame) === ("error" in frame)) return fault("not exactly one of result and error");
    if ("error" in frame) {
      if (!Number.isInteger(frame.error.code) || typeof frame.error.message !== "string") fault("a malformed error");
      return;
    }
    const method = this.asked.get(JSON.stringify(frame.id));
    if (!method) return fault("an answer to nothing");
    const check = validator(method, "Response");
    if (check && !check(frame.result)) fault(ajv.errorsText(check.errors));
  }

  wake() {
    for (const waiter of this.waiting) waiter();
  }
  // Until `look` gives something; states are waited for, never times.
  async until(look, what, limit = 120000) {
    const deadline = Date.now() + limit;
    for (;;) {
      const found = look();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}; stderr: ${this.stderr}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.waiting.push(() => { clearTimeout(timer); resolve(); });
      });
      this.waiting.length = 0;
    }
  }

  async initialize(clientCapabilities = {}, protocolVersion = 1) {
    this.initialized = await this.agent.request(acp.methods.agent.initialize, {
      protocolVersion, clientCapabilities, clientInfo: { name: "test", version: "0" } });
    return this.initialized;
  }
  async newSession(cwd, more = {}) {
    return await this.agent.request(acp.methods.agent.session.new, { cwd, mcpServers: [], ...more });
  }
  async prompt(sessionId, text, options) {
    const prompt = typeof text === "string" ? [{ type: "text", text }] : text;
    const result = await this.agent.request(acp.methods.agent.session.prompt, { sessionId, prompt }, options);
    await this.settled();
    return result;
  }
  // The SDK hands on updates a moment after it has read them.
  settled() {
    const read = this.frames.filter((f) => f.from === "agent" && f.frame.method === "session/update").length;
    return this.until(() => this.updates.length >= read, "the updates that came");
  }
  cancel(sessionId) {
    return this.agent.notify(acp.methods.agent.session.cancel, { sessionId });
  }
  async request(method, params) {
    const result = await this.agent.request(method, params);
    await this.settled();
    return result;
  }

  // Beside the SDK: bytes as they are. The answer is found among the frames.
  async raw(text) {
    const writer = this.input.getWriter === undefined ? null : this.child.stdin;
    writer.write(text);
    for (const line of text.toString("utf8").split("\n")) {
      try {
        const frame = JSON.parse(line);
        if (frame.method && frame.id !== undefined) this.asked.set(JSON.stringify(frame.id), frame.method);
      } catch { /* noise, on purpose */ }
    }
  }
  answerTo(id) {
    return this.until(() => this.frames.find((f) => f.from === "agent" && f.frame.method === undefined &&
      JSON.stringify(f.frame.id) === JSON.stringify(id))?.frame, `the answer to ${JSON.stringify(id)}`);
  }

  updatesOf(sessionId, kind) {
    return this.updates.filter((u) => u.sessionId === sessionId && (!kind || u.update.sessionUpdate === kind)).map((u) => u.update);
  }
  said(sessionId) {
    return this.updatesOf(sessionId, "agent_message_chunk").map((u) => u.content.text).join("");
  }

  // Closes its input; it must end by itself, soon and in order.
  async stop({ limit = 20000, expectCode = 0 } = {}) {
    const begin = performance.now();
    this.child.stdin.end();
    const ended = await Promise.race([this.exited, new Promise((r) => setTimeout(r, limit, null))]);
    const took = performance.now() - begin;
    if (!ended) this.child.kill("SIGKILL");
    assert.ok(ended, `it did not end within ${limit} ms of the end of its input; stderr: ${this.stderr}`);
    assert.equal(ended.signal, null);
    assert.equal(ended.code, expectCode, this.stderr);
    this.checkFaults();
    return took;
  }
  checkFaults() {
    assert.deepEqual(this.faults, []);
  }
  async kill() {
    this.child.kill("SIGKILL");
    await this.exited;
    this.checkFaults();
  }
}

// The error of a request that must fail.
export async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("it was not refused");
}

// Processes whose command line has this text; Linux only, elsewhere none are found.
export function processesWith(text) {
  if (!existsSync("/proc/self/cmdline")) return [];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}
export async function gone(text, limit = 20000) {
  const deadline = Date.now() + limit;
  while (processesWith(text).length > 0) {
    assert.ok(Date.now() < deadline, `processes are left: ${processesWith(text)}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}
