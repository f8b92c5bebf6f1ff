// What others do to it: files of its own that are damaged or not its own, clients that do not read, programs that slip
// away, texts without an end.
import { test } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent, acp, gone, processesWith, refused, scripted, temporaryFolder } from "./harness.mjs";

const METHOD = acp.methods.agent.session;
const slipping = fileURLToPath(new URL("./slipping_server.mjs", import.meta.url));
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const mark = () => `gptoss-trouble-${process.pid}-${Math.random().toString(36).slice(2)}`;
const linux = process.platform === "linux";

async function started(options, capabilities) {
  const agent = new Agent(options);
  await agent.initialize(capabilities);
  return agent;
}

// ---- the kept sessions -------------------------------------------------------------------------------------

async function homeWithASession() {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  await agent.prompt(sessionId, "!say kept");
  await agent.stop();
  return { home: agent.home, file: join(agent.home, "state/sessions.db"), sessionId };
}
const aside = (file) => readdirSync(dirname(file)).filter((name) => name.includes(".damaged-") && !/-(wal|shm)$/.test(name));

test("a damaged file of sessions is set aside and said; a new one is begun", async () => {
  const damages = {
    "no database": (file) => writeFileSync(file, "x".repeat(20000)),
    "a damaged page": (file) => {
      const bytes = readFileSync(file);
      bytes.fill(0xa5, 4096, 8192);
      writeFileSync(file, bytes);
    },
    "cut off": (file) => writeFileSync(file, readFileSync(file).subarray(0, 6000)),
  };
  for (const [name, damage] of Object.entries(damages)) {
    const { home, file, sessionId } = await homeWithASession();
    damage(file);
    const damaged = readFileSync(file);
    for (const notices of [false, true]) {
      const agent = await started({ home }, notices ? { session: { notices: {} } } : {});
      if (notices) {  // the second start finds nothing wrong
        assert.equal(agent.stderr, "", name);
        await agent.stop();
        break;
      }
      assert.match(agent.stderr, /damaged; it was set aside as .*sessions\.db\.damaged-/, name);
      assert.deepEqual((await agent.request(METHOD.list, {})).sessions, []);
      assert.equal((await refused(agent.request(METHOD.load, { sessionId, cwd: home, mcpServers: [] }))).code, -32002);
      const next = await agent.newSession(temporaryFolder());
      assert.equal((await agent.prompt(next.sessionId, "!say one")).stopReason, "end_turn");
      await agent.prompt(next.sessionId, "!say two");
      assert.equal(agent.said(next.sessionId).match(/was set aside/g)?.length, 1);  // said once
      assert.match(agent.said(next.sessionId), /one[\s\S]*two$/);
      await agent.stop();
    }
    assert.equal(aside(file).length, 1, name);
    assert.deepEqual(readFileSync(join(dirname(file), aside(file)[0])), damaged);
  }
});

test("where nothing can be kept it is said, and everything else works", async () => {
  const newer = await homeWithASession();
  const bytes = readFileSync(newer.file);
  bytes.writeUInt32BE(99, 60);  // the version of a SQLite file's user
  writeFileSync(newer.file, bytes);
  const noFolder = temporaryFolder();
  writeFileSync(join(noFolder, "state"), "a file");
  const cases = [
    [{ home: newer.home }, /newer gptoss/],
    [{ home: noFolder }, /stands where a folder is needed/],
    [{ env: { GPTOSS_STATE_DIR: "/proc/none/state" } }, linux ? /cannot make the folder/ : /./],
  ];
  // Root may write everything: then somebody else runs it.
  const readOnly = await homeWithASession();
  chmodSync(readOnly.file, 0o444);
  let as = {};
  if (process.getuid() === 0) {
    as = { command: "setpriv", args: ["--reuid=65534", "--regid=65534", "--clear-groups", scripted] };
    for (let folder = dirname(readOnly.file); folder !== "/tmp" && folder !== "/"; folder = dirname(folder)) chmodSync(folder, 0o755);
    for (const suffix of ["-wal", "-shm"]) rmSync(readOnly.file + suffix, { force: true });
  }
  cases.push([{ ...as, home: readOnly.home }, /may not be written|readonly|unable to open/]);
  for (const [options, why] of cases) {
    for (const notices of [false, true]) {
      const agent = await started(options, notices ? { session: { notices: {} } } : {});
      assert.match(agent.stderr, why);
      assert.match(agent.stderr, /not being kept/);
      const { sessionId } = await agent.newSession(temporaryFolder());
      assert.equal((await agent.prompt(sessionId, "!say here")).stopReason, "end_turn");
      await agent.prompt(sessionId, "!say again");
      const told = notices ? agent.updatesOf(sessionId, "notice").map((n) => n.description) : [agent.said(sessionId)];
      assert.equal(told.length, 1);
      assert.match(told[0], why);
      assert.equal(told[0].match(/not being kept/g).length, 1);
      // In this run they are there.
      assert.equal((await agent.request(METHOD.list, {})).sessions[0].sessionId, sessionId);
      await agent.request(METHOD.close, { sessionId });
      await agent.request(METHOD.load, { sessionId, cwd: temporaryFolder(), mcpServers: [] });
      await agent.prompt(sessionId, "!context");
      assert.match(agent.said(sessionId), /users=3/);
      await agent.stop();
    }
  }
  assert.deepEqual(aside(newer.file), []);
  assert.deepEqual(readFileSync(newer.file), bytes);
});

// ---- who slips away ----------------------------------------------------------------------------------------

test("what a command or an MCP server started in a session of its own does not outlive us", { skip: !linux && "macOS cannot" }, async () => {
  for (const how of ["the command ends", "cancel", "close", "the input ends"]) {
    const agent = await started();
    const cwd = temporaryFolder(), name = mark();
    const mcpServers = [{ name: "slipping", command: process.execPath, args: [slipping, process.env.ACP_SDK, `${name}-mcp`], env: [] }];
    const { sessionId } = await agent.request(METHOD.new, { cwd, mcpServers });
    await agent.prompt(sessionId, "/status");
    await agent.until(() => processesWith(`${name}-mcp`).length >= 2, "the server and what it started");
    const away = `setsid sh -c 'sleep 3000; : ${name}-command' </dev/null >/dev/null 2>&1 & `;
    const stays = how === "the command ends" ? "" : "sleep 3000";
    const turn = agent.prompt(sessionId, `!call run_command ${JSON.stringify({ command: `${away} echo > begun; ${stays}` })}\n!say ok`)
      .catch(() => {});
    await agent.until(() => existsSync(join(cwd, "begun")), "the command");
    if (how === "the command ends") {
      await turn;
      await gone(`${name}-command`);
      assert.ok(processesWith(`${name}-mcp`).length >= 2);  // not its own
    } else if (how === "cancel") {
      await agent.cancel(sessionId);
      await turn;
      await gone(`${name}-command`);
    } else if (how === "close") {
      await agent.request(METHOD.close, { sessionId });
      await gone(name);
    }
    const took = await agent.stop();
    assert.deepEqual(processesWith(name), [], how);
    assert.ok(took < 1000 || how !== "the input ends", `${took} ms`);
  }
});

// ---- who does not read -------------------------------------------------------------------------------------

// Bare pipes: nothing is read unless the test reads.
class Bare {
  constructor() {
    this.home = temporaryFolder();
    this.child = spawn(scripted, [], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { PATH: process.env.PATH, HOME: this.home, GPTOSS_STATE_DIR: join(this.home, "state"), GPTOSS_CONFIG: "/nonexistent/config.toml" },
    });
    this.exited = new Promise((resolve) => this.child.on("exit", (code, signal) => resolve({ code, signal, at: performance.now() })));
    this.child.stdin.on("error", () => {});
    this.held = "";
    this.lines = [];
  }
  say(message) {
    return this.child.stdin.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
  }
  async answer(id) {
    for (;;) {
      const found = this.lines.find((line) => line.id === id && line.method === undefined);
      if (found) return found;
      const chunk = this.child.stdout.read();
      if (chunk === null) {
        await sleep(5);
        continue;
      }
      this.held += chunk.toString("utf8");
      const lines = this.held.split("\n");
      this.held = lines.pop();
      this.lines.push(...lines.map((line) => JSON.parse(line)));
    }
  }
  // Megabytes in RAM, the most there ever were.
  peak() {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.child.pid}/status`, "utf8"))[1]) / 1024;
  }
  async begin(capabilities = {}) {
    this.say({ id: 1, method: "initialize", params: { protocolVersion: 1, clientCapabilities: capabilities } });
    await this.answer(1);
    this.say({ id: 2, method: "session/new", params: { cwd: temporaryFolder(), mcpServers: [] } });
    return (await this.answer(2)).result.sessionId;
  }
  // Until it takes no more for a while; whether that came.
  async flood(message, most) {
    for (let i = 0; i < most; ++i) {
      if (this.say(message(i))) continue;
      const drained = await Promise.race([new Promise((r) => this.child.stdin.once("drain", () => r(true))), sleep(1500)]);
      if (!drained) return true;
    }
    return false;
  }
}

test("who asks without end and reads nothing is not listened to; memory stays, the end of the input counts", { skip: !linux && "needs /proc" }, async () => {
  const bare = new Bare();
  await bare.begin();
  const before = bare.peak();
  const id = "i".repeat(100_000);  // an answer repeats it
  assert.ok(await bare.flood((i) => ({ id: id + i, method: "session/none", params: {} }), 4000), "it read 400 MB of questions");
  const grown = bare.peak() - before;
  assert.ok(grown < 100, `${grown} MB more`);
  const end = performance.now();
  bare.child.stdin.destroy();
  const { code, signal, at } = await bare.exited;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  assert.ok(at - end < 1000, `${at - end} ms`);
  console.log(`not read: ${grown.toFixed(0)} MB more, ended after ${(at - end).toFixed(0)} ms`);
});

test("a turn waits for a client that does not read; a cancel ends it all the same", { skip: !linux && "needs /proc" }, async () => {
  const bare = new Bare();
  const sessionId = await bare.begin({ _meta: { terminal_output: true } });
  const name = mark(), before = bare.peak();
  bare.say({ id: 3, method: "session/prompt", params: { sessionId, prompt: [
    { type: "text", text: `!call run_command ${JSON.stringify({ command: `yes ${name}` })}` }] } });
  for (;;) {  // the question for permission, read; from then on nothing
    const asked = bare.lines.find((line) => line.method === "session/request_permission");
    if (asked) {
      bare.say({ id: asked.id, result: { outcome: { outcome: "selected", optionId: "allow_once" } } });
      break;
    }
    await Promise.race([bare.answer(3), sleep(20)]);
  }
  while (processesWith(`yes ${name}`).length === 0) await sleep(10);
  // Held back: the command's processor time stands still.
  const pid = processesWith(`yes ${name}`).map(Number).sort((a, b) => b - a)[0];
  const worked = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ").slice(11, 13).join(" ");
  for (let last = "", deadline = Date.now() + 60000; ; ) {
    const now = worked();
    if (now === last) break;
    assert.ok(Date.now() < deadline, "it is never held back");
    last = now;
    await sleep(1000);
  }
  assert.ok(bare.peak() - before < 60, `${bare.peak() - before} MB more`);
  bare.say({ method: "session/cancel", params: { sessionId } });
  await gone(`yes ${name}`);
  assert.equal((await bare.answer(3)).result.stopReason, "cancelled");
  bare.say({ id: 4, method: "session/prompt", params: { sessionId, prompt: [{ type: "text", text: "!say next" }] } });
  assert.equal((await bare.answer(4)).result.stopReason, "end_turn");
  bare.child.stdin.end();
  assert.equal((await bare.exited).code, 0);
});

test("prompts that wait are counted: beyond 256 they are refused, and the others are answered", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  const first = agent.prompt(sessionId, `!slow 5\n!say ${"word ".repeat(2000)}`);
  await agent.until(() => agent.said(sessionId), "the first words");
  const outcomes = await Promise.all(Array.from({ length: 300 }, () => agent.agent.request(METHOD.prompt,
    { sessionId, prompt: [{ type: "text", text: "!say x" }] }).then((r) => r.stopReason, (error) => error.message))
    .concat(agent.until(() => agent.frames.find((f) => f.frame.error), "a refusal").then(() => agent.cancel(sessionId))));
  assert.equal((await first).stopReason, "cancelled");
  assert.equal(outcomes.filter((o) => o === "cancelled").length, 256);
  assert.equal(outcomes.filter((o) => /256 prompts wait already/.test(o)).length, 44);
  assert.equal((await agent.prompt(sessionId, "!say next")).stopReason, "end_turn");
  await agent.stop();
});

// ---- texts without an end ----------------------------------------------------------------------------------

test("no error repeats more than a little of what it was sent", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  const long = "ä".repeat(1_000_000);
  const cwd = "/tmp", mcpServers = [];
  const bad = [
    ["authenticate", { methodId: long }], [`_${long}`, {}], [METHOD.new, { cwd: long, mcpServers }],
    [METHOD.new, { cwd, mcpServers, additionalDirectories: [long] }], [METHOD.load, { sessionId: long, cwd, mcpServers }],
    [METHOD.resume, { sessionId: long, cwd }], [METHOD.close, { sessionId: long }], [METHOD.list, { cursor: long }],
    [METHOD.prompt, { sessionId: long, prompt: [] }], [METHOD.prompt, { sessionId, prompt: [{ type: long }] }],
    [METHOD.prompt, { sessionId, prompt: [{ type: "resource", resource: { uri: long, blob: "AA==" } }] }],
    [METHOD.setMode, { sessionId, modeId: long }], [METHOD.setConfigOption, { sessionId, configId: long, value: "x" }],
    [METHOD.setConfigOption, { sessionId, configId: "model", value: long }], [METHOD.new, { cwd, mcpServers: [{ name: "x", type: long }] }],
  ];
  for (const [i, [method, params]] of bad.entries()) {
    await agent.raw(JSON.stringify({ jsonrpc: "2.0", id: 9000 + i, method, params }) + "\n");
    const { error } = await agent.answerTo(9000 + i);
    assert.ok(JSON.stringify(error).length < 1500, `${method.slice(0, 40)}: ${JSON.stringify(error).length} bytes`);
    assert.ok(!error.message.includes("\ufffd"));
  }
  await agent.raw(`{"jsonrpc":"2.0","id":1,"method":"${long}\n`);
  const noise = await agent.until(() => agent.frames.find((f) => f.from === "agent" && f.frame.id === null), "the answer to noise");
  assert.equal(noise.frame.error.code, -32700);
  assert.ok(JSON.stringify(noise.frame).length < 1000);
  await agent.stop();
});

test("a hostile server of tools: each way of failing is said in a line, and the session goes on", async () => {
  const long = "ä".repeat(300_000);
  const server = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => {
      const way = request.url.slice(1);
      if (way === "never") return;
      if (way === "drips") {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        return void setInterval(() => response.write(": still here\n\n"), 50).unref();
      }
      if (way === "status") return response.writeHead(500).end(long);
      const body = { noise: long, version: { jsonrpc: "2.0", id: 1, result: { protocolVersion: long } },
        error: { jsonrpc: "2.0", id: 1, error: { code: 1, message: long } }, empty: "" }[way];
      response.writeHead(200, { "Content-Type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  await new Promise((r) => server.listen(0, "127.0.0.1", r));
  const url = (way) => `http://127.0.0.1:${server.address().port}/${way}`;
  const agent = await started({}, { session: { notices: {} } });
  const mcpServers = ["status", "noise", "version", "error", "empty"].map((way) => ({ type: "http", name: way, url: url(way), headers: [] }));
  mcpServers.push({ type: "sse", name: `streaming ${long}`, url: url("sse"), headers: [] });
  mcpServers.push({ name: "shouts", command: "/bin/sh", args: ["-c", "head -c 5000000 /dev/zero | tr '\\0' x >&2; exit 1"], env: [] });
  mcpServers.push({ name: "gone", command: "/nonexistent/server", args: [], env: [] });
  const { sessionId } = await agent.request(METHOD.new, { cwd: temporaryFolder(), mcpServers });
  assert.equal((await agent.prompt(sessionId, "!say on")).stopReason, "end_turn");
  assert.equal(agent.said(sessionId), "on");
  const notices = agent.updatesOf(sessionId, "notice").map((n) => n.title).filter((t) => !t.startsWith("Starting"));
  assert.equal(notices.length, mcpServers.length, notices.join("\n"));
  for (const { name } of mcpServers) assert.ok(notices.some((n) => n.includes(name.slice(0, 9))), name.slice(0, 20));
  assert.ok(notices.some((n) => /SSE transport is not spoken; name its streamable HTTP address/.test(n)));
  for (const notice of notices) assert.ok(notice.length < 700, notice.slice(0, 300));
  await agent.stop();
  // One that does not answer keeps nobody from leaving.
  for (const way of ["never", "drips"]) {
    const leaving = await started();
    const next = await leaving.request(METHOD.new, { cwd: temporaryFolder(), mcpServers: [{ type: "http", name: way, url: url(way), headers: [] }] });
    leaving.prompt(next.sessionId, "!say on").catch(() => {});
    await sleep(100);
    assert.ok((await leaving.stop()) < 1500);
  }
  server.closeAllConnections?.();
  server.close();
});

test("a folder that vanishes under a session", async () => {
  const agent = await started();
  const cwd = join(temporaryFolder(), "was-here");
  mkdirSync(cwd);
  writeFileSync(join(cwd, "f.txt"), "f");
  const { sessionId } = await agent.newSession(cwd);
  rmSync(cwd, { recursive: true });
  await agent.prompt(sessionId, [{ type: "resource_link", uri: `file://${cwd}/f.txt`, name: "f.txt" }]);
  assert.match(agent.said(sessionId), /f\.txt was not read: .*No such file/);
  const calls = [["read_file", { path: "f.txt" }], ["list_directory", { path: "." }], ["search", { pattern: "f" }], ["run_command", { command: "pwd" }]];
  for (const [name, args] of calls) {
    assert.equal((await agent.prompt(sessionId, `!call ${name} ${JSON.stringify(args)}\n!say on`)).stopReason, "end_turn", name);
    assert.match(agent.said(sessionId), /on$/);
  }
  await agent.stop();
});
