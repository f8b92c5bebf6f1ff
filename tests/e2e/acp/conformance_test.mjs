// The checks of the protocol's test kit (its ids are in the names), through the official SDK and a strict schema.
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent, acp, program, refused, temporaryFolder } from "./harness.mjs";

const METHOD = acp.methods.agent;

async function started(options, capabilities) {
  const agent = new Agent(options);
  await agent.initialize(capabilities);
  return agent;
}
// A turn of the model in a new session of its own.
async function answered(agent, text, more) {
  const cwd = temporaryFolder();
  const session = await agent.newSession(cwd, more);
  const result = await agent.prompt(session.sessionId, text);
  return { ...session, cwd, result };
}

test("TRANSPORT-001, TRANSPORT-002, JSONRPC-001, JSONRPC-002: lines of JSON, ids as they came, errors by their codes", async () => {
  const agent = new Agent();
  await agent.raw('noise\r\n\r\n[{"jsonrpc":"2.0","id":1,"method":"x"}]\n');
  await agent.raw('{"jsonrpc":"2.0","id":"before","method":"session/new","params":{"cwd":"/","mcpServers":[]}}\r\n');
  assert.equal((await agent.answerTo("before")).error.code, -32600);
  const nulls = agent.frames.filter((f) => f.frame.id === null).map((f) => f.frame.error.code);
  assert.deepEqual(nulls, [-32700, -32600]);
  await agent.raw('{"jsonrpc":"2.0","id":900719925474,"method":"initialize","params":{"protocolVersion":1}}\n');
  assert.equal((await agent.answerTo(900719925474)).result.protocolVersion, 1);
  await agent.raw('{"jsonrpc":"2.0","id":"str-1","method":"_unknown/thing","params":{}}\n');
  assert.equal((await agent.answerTo("str-1")).error.code, -32601);
  await agent.raw('{"jsonrpc":"2.0","id":-7,"method":"session/new","params":{"mcpServers":[]}}\n');
  assert.equal((await agent.answerTo(-7)).error.code, -32602);
  await agent.raw(Buffer.from('{"jsonrpc":"2.0","id":5,"method":"session/list","params":{"cwd":"/\xff"}}\n', "latin1"));
  await agent.raw('{"jsonrpc":"2.0","id":6,"method":"session/list","params":{}}\n');
  assert.deepEqual((await agent.answerTo(6)).result.sessions, []);
  await agent.stop();
});

test("TRANSPORT: a line beyond 32 MiB ends the connection, one below it does not", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  await agent.raw(`{"jsonrpc":"2.0","id":"big","method":"_x","params":{"text":"${"y".repeat(30 << 20)}"}}\n`);
  assert.equal((await agent.answerTo("big")).error.code, -32601);
  await agent.raw(`{"jsonrpc":"2.0","id":"huge","method":"_x","params":{"text":"${"y".repeat(33 << 20)}`);
  assert.equal((await agent.exited).code, 1);
  assert.match(agent.stderr, /longer than/);
  assert.ok(sessionId);
});

test("JSONRPC-003, EXT-001: silence on notifications, unknown ones and idle cancels among them", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  const before = agent.frames.length;
  await agent.raw('{"jsonrpc":"2.0","method":"_private/note","params":{}}\n{"jsonrpc":"2.0","method":"session/unknown"}\n');
  await agent.cancel(sessionId);
  await agent.cancel("sess_none");
  await agent.raw('{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"nobody"}}\n');
  assert.equal((await refused(agent.request("_private/thing", {}))).code, -32601);
  const since = agent.frames.slice(before).filter((f) => f.from === "agent" && f.frame.method === undefined);
  assert.equal(since.length, 1);
  assert.equal((await agent.prompt(sessionId, "!say fine")).stopReason, "end_turn");
  await agent.stop();
});

test("INIT-001, INIT-002, INIT-003, AUTH-002, AUTH-003, AUTH-004: version 1 whatever is asked, capabilities, one method of the agent", async () => {
  for (const version of [0, 1, 2, 65535]) {
    const agent = new Agent();
    const hello = await agent.initialize({}, version);
    assert.equal(hello.protocolVersion, 1);
    assert.equal(hello.agentInfo.name, "gptoss");
    assert.equal(hello.agentCapabilities.loadSession, true);
    assert.equal(hello.authMethods.length, 1);
    assert.equal(hello.authMethods[0].type, undefined);
    assert.deepEqual(await agent.request(METHOD.authenticate, { methodId: hello.authMethods[0].id }), {});
    assert.equal((await refused(agent.request(METHOD.authenticate, { methodId: "other" }))).code, -32602);
    assert.equal((await refused(agent.request(METHOD.logout, {}))).code, -32601);
    await agent.stop();
  }
});

test("SESSION-001, SESSION-002: sessions have ids of their own; folders are absolute; updates follow the answer", async () => {
  const agent = await started();
  const cwd = temporaryFolder();
  const one = await agent.newSession(cwd), two = await agent.newSession(cwd);
  assert.notEqual(one.sessionId, two.sessionId);
  assert.equal((await refused(agent.newSession("relative"))).code, -32602);
  assert.equal((await refused(agent.request(METHOD.session.new, { mcpServers: [] }))).code, -32602);
  await agent.until(() => agent.updatesOf(two.sessionId, "available_commands_update").length, "the commands");
  const answer = agent.frames.findIndex((f) => f.frame.result?.sessionId === one.sessionId);
  const update = agent.frames.findIndex((f) => f.frame.params?.sessionId === one.sessionId && f.from === "agent");
  assert.ok(answer < update);
  const error = await refused(agent.prompt("sess_none", "hi"));
  assert.equal(error.code, -32002);
  assert.equal(error.data.sessionId, "sess_none");
  await agent.stop();
});

test("PROMPT-001, PROMPT-002: a turn streams and ends; nothing of it follows its end", async () => {
  const agent = await started();
  const { sessionId, result } = await answered(agent, "!think a thought\n!preamble first\n!say the answer äöü 🎉");
  assert.equal(result.stopReason, "end_turn");
  const kinds = ["agent_thought_chunk", "agent_message_chunk"].map((k) => agent.updatesOf(sessionId, k));
  assert.equal(kinds[0].map((u) => u.content.text).join(""), "a thought");
  assert.equal(kinds[1].map((u) => u.content.text).join(""), "firstthe answer äöü 🎉");
  assert.equal(new Set([...kinds[0], ...kinds[1]].map((u) => u.messageId)).size, 3);
  const usage = agent.updatesOf(sessionId, "usage_update").at(-1);
  assert.ok(usage.used > 0 && usage.size === 32000);
  assert.equal(agent.updatesOf(sessionId, "session_info_update")[0].title, "!think a thought");
  // The title that the model makes when it is idle belongs to the session, not to the turn.
  await agent.until(() => agent.updatesOf(sessionId, "session_info_update").length > 1, "the title by the model");
  const end = agent.frames.findIndex((f) => f.frame.result?.stopReason);
  assert.deepEqual(agent.frames.slice(end + 1).filter((f) => f.from === "agent")
    .map((f) => f.frame.params.update.sessionUpdate), ["session_info_update"]);
  const empty = await refused(agent.prompt(sessionId, []));
  assert.equal(empty.code, -32602);
  await agent.stop();
});

test("PROMPTCAP-001: links, embedded text; images and audio are refused as announced", async () => {
  const agent = await started();
  assert.deepEqual(agent.initialized.agentCapabilities.promptCapabilities, { image: false, audio: false, embeddedContext: true });
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "a b.txt"), "linked text");
  const { sessionId } = await agent.newSession(cwd);
  await agent.prompt(sessionId, [
    { type: "text", text: "look: " },
    { type: "resource_link", uri: `file://${cwd}/a%20b.txt`, name: "a b.txt" },
    { type: "resource", resource: { uri: "file:///x/y.txt", text: "embedded text", mimeType: "text/plain" } },
  ]);
  assert.match(agent.said(sessionId), /linked text/);
  assert.match(agent.said(sessionId), /embedded text/);
  const image = [{ type: "image", data: "AA==", mimeType: "image/png" }];
  assert.equal((await refused(agent.prompt(sessionId, image))).code, -32602);
  assert.equal((await agent.prompt(sessionId, "!say still here")).stopReason, "end_turn");
  await agent.stop();
});

test("CANCEL-001, CANCEL-002: a cancelled turn answers so, and the next one runs", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  const turn = agent.prompt(sessionId, `!slow 5\n!say ${"long ".repeat(2000)}`);
  await agent.until(() => agent.said(sessionId).length > 20, "the first words");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  const end = agent.frames.findIndex((f) => f.frame.result?.stopReason);
  assert.equal((await agent.prompt(sessionId, "!context")).stopReason, "end_turn");
  assert.match(agent.said(sessionId), /users=2 results=0 interrupted=1/);
  const next = agent.frames.findIndex((f, i) => i > end && f.from === "client" && f.frame.method === "session/prompt");
  assert.deepEqual(agent.frames.slice(end + 1, next).filter((f) => f.from === "agent"), []);
  await agent.stop();
});

test("CLIENTCAP-001, CLIENTCAP-002, CLIENTCAP-003: nothing is asked of a client that it did not announce", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "f.txt"), "disk");
  const link = [{ type: "resource_link", uri: `file://${cwd}/f.txt`, name: "f.txt" }];
  const plain = await started();
  const one = await plain.newSession(cwd);
  await plain.prompt(one.sessionId, link);
  await plain.prompt(one.sessionId, '!call run_command {"command":"cat f.txt"}\n!say ok');
  assert.match(plain.said(one.sessionId), /disk/);
  assert.deepEqual([...new Set(plain.theirs.values())], ["session/request_permission"]);
  const kinds = new Set(plain.updatesOf(one.sessionId).map((u) => u.sessionUpdate));
  assert.ok(!kinds.has("notice") && !kinds.has("compaction_update"));
  await plain.stop();
  const editor = await started({ onRead: () => "unsaved" }, { fs: { readTextFile: true } });
  const two = await editor.newSession(cwd);
  await editor.prompt(two.sessionId, link);
  assert.match(editor.said(two.sessionId), /unsaved/);
  await editor.stop();
});

test("MODES-001, CONFIG-001, CONFIG-003: options and modes in sync, changed in a turn too, remembered", async () => {
  const agent = await started();
  const { sessionId, modes, configOptions } = await agent.newSession(temporaryFolder());
  assert.equal(modes.currentModeId, "gptoss_20b");
  assert.deepEqual(configOptions.map((o) => o.id), ["mode", "model", "thought_level", "temperature", "tools", "show_reasoning"]);
  assert.ok(configOptions.every((o) => o.type === "select"), "no switches for a client that knows none");
  for (const option of configOptions) assert.ok(option.options.some((v) => v.value === option.currentValue), option.id);
  const set = (configId, value, more) => agent.request(METHOD.session.setConfigOption, { sessionId, configId, value, ...more });
  const turn = agent.prompt(sessionId, `!slow 5\n!say ${"word ".repeat(300)}`);
  await agent.until(() => agent.said(sessionId), "the turn's begin");
  const after = await set("thought_level", "high");
  assert.equal(after.configOptions.length, configOptions.length);
  assert.equal(after.configOptions.find((o) => o.id === "thought_level").currentValue, "high");
  await set("mode", "gptoss_20b");
  assert.deepEqual(await agent.request(METHOD.session.setMode, { sessionId, modeId: "gptoss_20b" }), {});
  await agent.until(() => agent.updatesOf(sessionId, "config_option_update").length, "the mode told as an option");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  for (const [id, value] of [["thought_level", "enormous"], ["none", "x"], ["mode", "nobody"]])
    assert.equal((await refused(set(id, value))).code, -32602);
  assert.equal((await refused(agent.request(METHOD.session.setMode, { sessionId, modeId: "nobody" }))).code, -32602);
  const next = await agent.newSession(temporaryFolder());
  assert.equal(next.configOptions.find((o) => o.id === "thought_level").currentValue, "high");
  await agent.stop();
  const knowing = await started({ home: agent.home }, { session: { configOptions: { boolean: {} } } });
  const session = await knowing.newSession(temporaryFolder());
  const tools = session.configOptions.find((o) => o.id === "tools");
  assert.equal(tools.type, "boolean");
  const off = await knowing.request(METHOD.session.setConfigOption,
    { sessionId: session.sessionId, configId: "tools", type: "boolean", value: false });
  assert.equal(off.configOptions.find((o) => o.id === "tools").currentValue, false);
  assert.equal(session.configOptions.find((o) => o.id === "thought_level").currentValue, "high");
  await knowing.stop();
});

test("every option in a turn, from both sides, and remembered as where the next session begins", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  const set = (configId, value) => agent.request(METHOD.session.setConfigOption, { sessionId, configId, value });
  const current = (options) => Object.fromEntries(options.map((o) => [o.id, o.currentValue]));
  const turn = agent.prompt(sessionId, `!slow 5\n!say ${"word ".repeat(600)}`);
  await agent.until(() => agent.said(sessionId), "the turn's begin");
  const chosen = { model: "other", thought_level: "low", temperature: "0.3", tools: "off", show_reasoning: "off" };
  for (const [id, value] of Object.entries(chosen)) {
    const answer = await set(id, value);
    assert.equal(answer.configOptions.length, 6);
    assert.equal(current(answer.configOptions)[id], value);
  }
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  // The other way: what a command changes is told.
  await agent.prompt(sessionId, "/effort high");
  await agent.until(() => agent.updatesOf(sessionId, "config_option_update").length, "the changed option");
  const told = current(agent.updatesOf(sessionId, "config_option_update").at(-1).configOptions);
  assert.deepEqual(told, { mode: "gptoss_20b", ...chosen, thought_level: "high" });
  // Without tools there is none to call.
  await agent.prompt(sessionId, "/status");
  assert.match(agent.said(sessionId), /tools: off/);
  assert.match(agent.said(sessionId), /model: other/);
  await agent.stop();
  const again = await started({ home: agent.home });
  const next = await again.newSession(temporaryFolder());
  assert.deepEqual(current(next.configOptions), { mode: "gptoss_20b", ...chosen, thought_level: "high" });
  await again.stop();
});

test("MODES: a set on one side is told on the other; a mode that cannot run says why", async () => {
  const agent = await started();
  const { sessionId, modes, configOptions } = await agent.newSession(temporaryFolder());
  assert.deepEqual(modes.availableModes.map((m) => m.id), ["gptoss_20b", "echo", "broken"]);
  assert.deepEqual(configOptions.find((o) => o.id === "mode").options.map((o) => o.value), ["gptoss_20b", "echo", "broken"]);
  assert.match(modes.availableModes[2].description, /not available: it is a test/);
  const mode = (update) => update.configOptions.find((o) => o.id === "mode").currentValue;
  await agent.request(METHOD.session.setMode, { sessionId, modeId: "echo" });
  await agent.until(() => agent.updatesOf(sessionId, "config_option_update").length, "the option");
  assert.equal(mode(agent.updatesOf(sessionId, "config_option_update").at(-1)), "echo");
  await agent.prompt(sessionId, "hello");
  assert.equal(agent.said(sessionId), "echo: hello");
  await agent.request(METHOD.session.setConfigOption, { sessionId, configId: "mode", value: "broken" });
  await agent.until(() => agent.updatesOf(sessionId, "current_mode_update").length, "the mode");
  assert.equal(agent.updatesOf(sessionId, "current_mode_update").at(-1).currentModeId, "broken");
  assert.equal((await agent.prompt(sessionId, "hello")).stopReason, "end_turn");
  assert.match(agent.said(sessionId), /it is a test/);
  await agent.request(METHOD.session.setMode, { sessionId, modeId: "gptoss_20b" });
  await agent.prompt(sessionId, "!say back");
  assert.ok(agent.said(sessionId).endsWith("back"));
  await agent.stop();
});

test("SCHEMA-001, SCHEMA-002: what is wrong in a frame is found, unknown keys at the root among it", () => {
  const faults = (frame) => {
    const tap = { faults: [], theirs: new Map(), asked: new Map([["1", "session/new"]]) };
    Agent.prototype.check.call(tap, { jsonrpc: "2.0", ...frame }, JSON.stringify(frame));
    return tap.faults.length;
  };
  const update = (fields, more) => ({ method: "session/update", params: { sessionId: "s", update: fields, ...more } });
  const chunk = { sessionUpdate: "agent_message_chunk", content: { type: "text", text: "t" } };
  assert.equal(faults(update(chunk)), 0);
  assert.ok(faults(update({ ...chunk, own: 1 })));
  assert.ok(faults(update(chunk, { own: 1 })));
  assert.ok(faults(update({ sessionUpdate: "usage_update", used: "1", size: 2 })));
  assert.ok(faults({ method: "session/none", params: {} }));
  assert.ok(faults({ id: 1, result: { modes: null } }));
  assert.equal(faults({ id: 1, result: { sessionId: "s" } }), 0);
  assert.ok(faults({ id: 1, result: {}, error: { code: 1, message: "m" } }));
});

// Of agentclientprotocol/acp-tck, which no registry has; the test that has the id in its name does what that check does.
const TCK = ["TRANSPORT-001", "TRANSPORT-002", "JSONRPC-001", "JSONRPC-002", "JSONRPC-003", "INIT-001", "INIT-002", "INIT-003",
  "SCHEMA-001", "SCHEMA-002", "SESSION-001", "SESSION-002", "PROMPT-001", "PROMPT-002", "CANCEL-001", "CANCEL-002", "CONFIG-003",
  "AUTH-002", "AUTH-003", "AUTH-004", "CLIENTCAP-001", "CLIENTCAP-002", "CLIENTCAP-003", "EXT-001", "LOAD-001", "LOAD-002", "RESUME-001",
  "LIST-001", "DELETE-001", "CLOSE-001", "ADDDIRS-001", "MODES-001", "CONFIG-001", "PROMPTCAP-001", "SHUTDOWN-001"];
test("every check of the protocol's test kit has its test", () => {
  const folder = fileURLToPath(new URL(".", import.meta.url));
  const names = readdirSync(folder).filter((f) => f.endsWith("_test.mjs"))
    .flatMap((f) => [...readFileSync(join(folder, f), "utf8").matchAll(/^test\("([^"]+)"/gm)].map((m) => m[1])).join("\n");
  assert.deepEqual(TCK.filter((id) => !names.includes(id)), []);
});

test("commands: announced, answered, and changing what they say", async () => {
  const agent = await started({}, { session: { compaction: {} } });
  const { sessionId } = await agent.newSession(temporaryFolder());
  await agent.until(() => agent.updatesOf(sessionId, "available_commands_update").length, "the commands");
  const names = agent.updatesOf(sessionId, "available_commands_update")[0].availableCommands.map((c) => c.name);
  assert.deepEqual(names, ["compact", "clear", "effort", "model", "permissions", "status", "help"]);
  await agent.prompt(sessionId, "/effort low");
  await agent.until(() => agent.updatesOf(sessionId, "config_option_update").length, "the changed option");
  await agent.prompt(sessionId, "remember this");
  await agent.prompt(sessionId, "/compact");
  assert.deepEqual(agent.updatesOf(sessionId, "compaction_update").map((u) => u.status), ["in_progress", "completed"]);
  const summary = agent.updatesOf(sessionId, "compaction_summary_chunk").map((u) => u.content.text).join("");
  assert.match(summary, /Summarise our conversation/);  // this model says what it is asked
  assert.equal(agent.updatesOf(sessionId, "compaction_update").at(-1).summary[0].text, summary);
  await agent.prompt(sessionId, "/model absent");
  await agent.prompt(sessionId, "hello");
  assert.match(agent.said(sessionId), /gptoss install/);
  await agent.stop();
});

test("a turn stops at the setting's number of calls, and says so", async () => {
  const agent = await started({ env: { GPTOSS_AGENT_MAX_CALLS: "2" } });
  const { sessionId, result } = await answered(agent, Array(5).fill('!call list_directory {"path":"."}').join("\n"));
  assert.equal(result.stopReason, "max_turn_requests");
  assert.equal(agent.updatesOf(sessionId, "tool_call").length, 2);
  assert.match(agent.said(sessionId), /I stopped after 2 calls/);
  assert.equal((await agent.prompt(sessionId, "!say on")).stopReason, "end_turn");
  await agent.stop();
});

test("usage tells the context in force, not the model's largest", async () => {
  const agent = await started({ command: program, args: ["acp", "-m", "demo"], env: { GPTOSS_MEMORY_CONTEXT_TOKENS: "1536" } });
  const { sessionId, result } = await answered(agent, "Who are you?");
  assert.equal(result.stopReason, "end_turn");
  assert.equal(agent.updatesOf(sessionId, "usage_update").at(-1).size, 1536);
  await agent.stop();
});

test("SHUTDOWN-001: it ends soon after its input, and stdout carries the protocol alone", async () => {
  const agent = new Agent({ command: program, args: ["acp", "-m", "demo"] });
  await agent.initialize();
  await agent.newSession(temporaryFolder());
  const took = await agent.stop();
  console.log(`ended ${took.toFixed(0)} ms after the end of its input`);
  assert.equal(agent.stderr, "");
});

test("what the registry takes: its entry, its icon, and an archive whose program answers with a way to log in", async () => {
  const entry = fileURLToPath(new URL("../../../packaging/acp-registry/gptoss/", import.meta.url));
  const agent = JSON.parse(readFileSync(join(entry, "agent.json"), "utf8"));
  for (const field of ["id", "name", "version", "description", "license", "license_url"]) assert.ok(agent[field], field);
  assert.match(agent.id, /^[a-z][a-z0-9-]*$/);
  assert.equal(agent.id, basename(entry));
  assert.match(agent.version, /^[0-9]+\.[0-9]+\.[0-9]+$/);
  assert.ok(execFileSync(program, ["--version"]).toString().includes(agent.version));
  assert.deepEqual(Object.keys(agent.distribution), ["binary"]);
  for (const [platform, target] of Object.entries(agent.distribution.binary)) {
    assert.match(platform, /^(darwin|linux)-(aarch64|x86_64)$/);
    assert.deepEqual(Object.keys(target), ["archive", "cmd", "args"]);
    assert.equal(target.archive.split("/").at(-1), `gptoss-${agent.version}-${platform}.tar.gz`);
  }
  const icon = readFileSync(join(entry, "icon.svg"), "utf8");
  assert.match(icon, /^<svg [^>]*width="16" height="16" viewBox="0 0 16 16"/);
  const colours = [...icon.matchAll(/(?:fill|stroke)="([^"]+)"/g)].map((m) => m[1]);
  assert.ok(colours.includes("currentColor") && colours.every((c) => c === "currentColor" || c === "none"), colours.join());
  assert.doesNotMatch(icon, /<!--|style/);

  const folder = temporaryFolder(), { cmd, args } = agent.distribution.binary["linux-x86_64"];
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  execFileSync("tar", ["czf", join(folder, "a.tar.gz"), "-C", dirname(program), basename(program), "-C", root, "LICENSE", "README.md"]);
  execFileSync("tar", ["xzf", join(folder, "a.tar.gz"), "-C", folder]);
  const unpacked = new Agent({ command: join(folder, cmd), args });
  const { authMethods } = await unpacked.initialize({ terminal: true, fs: { readTextFile: true, writeTextFile: true } });
  assert.ok(authMethods.some((m) => (m.type ?? "agent") === "agent"));
  await unpacked.stop();
});
