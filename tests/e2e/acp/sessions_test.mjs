// Sessions that last: replay, resume, list, close, delete, and what a kill leaves.
import { test } from "node:test";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent, acp, gone, processesWith, refused, temporaryFolder } from "./harness.mjs";

const METHOD = acp.methods.agent.session;
const serverScript = fileURLToPath(new URL("./mcp_server.mjs", import.meta.url));

async function started(options, capabilities) {
  const agent = new Agent(options);
  await agent.initialize(capabilities);
  return agent;
}

// What a reader sees: chunks joined, calls at their last state, without what passes.
function story(updates) {
  const told = [], calls = new Map();
  let plan;
  for (const update of updates) {
    const kind = update.sessionUpdate;
    if (kind === "tool_call" || kind === "tool_call_update") {
      if (!calls.has(update.toolCallId)) {
        calls.set(update.toolCallId, { what: "call" });
        told.push(calls.get(update.toolCallId));
      }
      const { sessionUpdate, _meta, ...rest } = update;
      Object.assign(calls.get(update.toolCallId), rest);
    } else if (kind.endsWith("_chunk") && kind !== "user_message_chunk") {
      const last = told.at(-1);
      if (last?.what === kind && last.id === update.messageId) last.text += update.content.text;
      else told.push({ what: kind, id: update.messageId, text: update.content.text });
    } else if (kind === "plan") {
      plan = update.entries;
    }
  }
  return { told, plan };
}

test("LOAD-001, LOAD-002: what was shown live is shown again after a restart, and nothing after the answer", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "notes.txt"), "one\ntwo\n");
  const live = await started();
  const { sessionId } = await live.newSession(cwd);
  await live.prompt(sessionId, '!think reading\n!preamble I look\n!call read_file {"path":"notes.txt"}\n' +
    '!call edit_file {"path":"notes.txt","old_text":"two","new_text":"2"}\n' +
    '!call run_command {"command":"printf x; exit 3"}\n!call read_file {"path":"none"}\n' +
    '!call update_plan {"plan":[{"step":"look","status":"completed"},{"step":"write","status":"pending"}]}\n' +
    '!call write_file {"path":"new.txt","content":"n"}\n!say all done äöü');
  await live.prompt(sessionId, [{ type: "text", text: "!say second", _meta: { kept: true } }]);
  const before = story(live.updatesOf(sessionId));
  assert.equal(before.told.filter((t) => t.what === "call").length, 6);
  await live.until(() => live.updatesOf(sessionId, "session_info_update").length > 1, "the title by the model");
  const title = live.updatesOf(sessionId, "session_info_update").at(-1).title;
  assert.equal(title, "A title by the model");
  await live.stop();

  const again = await started({ home: live.home });
  const answer = await again.request(METHOD.load, { sessionId, cwd, mcpServers: [] });
  assert.equal(answer.modes.currentModeId, "gptoss_20b");
  const replayed = again.updatesOf(sessionId);
  assert.deepEqual(story(replayed), before);
  const users = again.updatesOf(sessionId, "user_message_chunk");
  assert.equal(users.length, 2);
  assert.deepEqual(users[1].content, { type: "text", text: "!say second", _meta: { kept: true } });
  assert.equal(again.updatesOf(sessionId, "session_info_update").at(-1)?.title, title);
  assert.ok(again.updatesOf(sessionId, "usage_update").at(-1).used > 0);
  await new Promise((r) => setTimeout(r, 300));
  const end = again.frames.findIndex((f) => f.frame.result?.modes);
  assert.equal(again.frames.slice(end + 1).filter((f) => f.from === "agent").length, 0);
  await again.prompt(sessionId, "!context");
  assert.match(again.said(sessionId), /users=3 .*interrupted=0/);
  await again.stop();
});

test("RESUME-001: the context comes back, without a replay; a session that was never prompted too", async () => {
  const cwd = temporaryFolder();
  const live = await started();
  const { sessionId } = await live.newSession(cwd);
  const fresh = await live.newSession(cwd);
  await live.prompt(sessionId, "hello");
  await live.stop();
  const again = await started({ home: live.home });
  for (const method of [METHOD.resume, METHOD.load]) {
    const answer = await again.request(method, { sessionId: fresh.sessionId, cwd, mcpServers: [] });
    assert.ok(answer.configOptions.length > 0);
  }
  await again.request(METHOD.resume, { sessionId, cwd });
  assert.deepEqual(again.updatesOf(sessionId).filter((u) => u.sessionUpdate.endsWith("_chunk")), []);
  await again.prompt(sessionId, "!context");
  assert.match(again.said(sessionId), /users=2/);
  await again.prompt(fresh.sessionId, "!say fresh");
  assert.equal(again.said(fresh.sessionId), "fresh");
  const error = await refused(again.request(METHOD.load, { sessionId: "sess_none", cwd, mcpServers: [] }));
  assert.equal(error.code, -32002);
  assert.equal(error.data.sessionId, "sess_none");
  await again.stop();
});

test("LIST-001, DELETE-001, CLOSE-001, ADDDIRS-001: newest first, by folder, in pages; gone when deleted", async () => {
  const agent = await started();
  const one = temporaryFolder(), two = temporaryFolder(), more = temporaryFolder();
  const first = await agent.newSession(one, { additionalDirectories: [more] });
  const second = await agent.newSession(two);
  const third = await agent.newSession(one);
  await agent.prompt(first.sessionId, "A title of its own");
  const titles = () => agent.updatesOf(first.sessionId, "session_info_update").map((u) => u.title);
  await agent.until(() => titles().length > 1, "the title by the model");
  assert.deepEqual(titles(), ["A title of its own", "A title by the model"]);
  const ids = async (params) => (await agent.request(METHOD.list, params)).sessions.map((s) => s.sessionId);
  assert.deepEqual((await ids({}))[0], first.sessionId);
  assert.deepEqual(new Set(await ids({})), new Set([first.sessionId, second.sessionId, third.sessionId]));
  assert.deepEqual(new Set(await ids({ cwd: one })), new Set([first.sessionId, third.sessionId]));
  assert.deepEqual(await ids({ cwd: "/none" }), []);
  const entry = (await agent.request(METHOD.list, { cwd: one })).sessions[0];
  assert.equal(entry.title, "A title by the model");
  assert.deepEqual(entry.additionalDirectories, [more]);
  assert.ok(!Number.isNaN(Date.parse(entry.updatedAt)));
  assert.equal((await refused(agent.request(METHOD.list, { cursor: "nonsense" }))).code, -32602);
  assert.deepEqual(await agent.request(METHOD.close, { sessionId: second.sessionId }), {});
  assert.equal((await refused(agent.prompt(second.sessionId, "hi"))).code, -32002);
  assert.ok((await ids({})).includes(second.sessionId));
  await agent.request(METHOD.load, { sessionId: second.sessionId, cwd: two, mcpServers: [] });
  assert.deepEqual(await agent.request(METHOD.delete, { sessionId: second.sessionId }), {});
  assert.deepEqual(await agent.request(METHOD.delete, { sessionId: second.sessionId }), {});
  assert.ok(!(await ids({})).includes(second.sessionId));
  assert.equal((await refused(agent.request(METHOD.load, { sessionId: second.sessionId, cwd: two, mcpServers: [] }))).code, -32002);
  for (let i = 0; i < 110; ++i) await agent.newSession(two);
  const page = await agent.request(METHOD.list, {});
  assert.equal(page.sessions.length, 100);
  const rest = await agent.request(METHOD.list, { cursor: page.nextCursor });
  assert.equal(new Set([...page.sessions, ...rest.sessions].map((s) => s.sessionId)).size, 112);
  await agent.stop();
});

test("additional directories are inside, everything else asks each time", async () => {
  const agent = await started();
  const cwd = temporaryFolder(), more = temporaryFolder(), outside = temporaryFolder();
  for (const folder of [more, outside]) writeFileSync(join(folder, "f.txt"), `in ${folder}`);
  const { sessionId } = await agent.newSession(cwd, { additionalDirectories: [more] });
  const read = (path) => agent.prompt(sessionId, `!call read_file ${JSON.stringify({ path })}\n!say ok`);
  await read(join(more, "f.txt"));
  assert.equal(agent.permissions.length, 0);
  await read(join(outside, "f.txt"));
  await read(join(outside, "f.txt"));
  assert.equal(agent.permissions.length, 2);
  assert.deepEqual(agent.permissions[0].options.map((o) => o.kind), ["allow_once", "reject_once"]);
  assert.equal(agent.permissions[0].toolCall.kind, "read");
  await agent.stop();
});

test("an allowance for ever names its scope and outlives the program", async () => {
  const always = (params) => params.options.find((o) => o.kind === "allow_always").optionId;
  const agent = await started({ onPermission: always });
  const cwd = temporaryFolder();
  const { sessionId } = await agent.newSession(cwd);
  await agent.prompt(sessionId, '!call write_file {"path":"a","content":"1"}\n!call write_file {"path":"b","content":"2"}\n!say ok');
  assert.equal(agent.permissions.length, 1);
  assert.match(agent.permissions[0].options.find((o) => o.kind === "allow_always").name, new RegExp(cwd));
  assert.equal(agent.permissions[0].toolCall.content[0].type, "diff");
  await agent.prompt(sessionId, '!call run_command {"command":"true"}\n!call run_command {"command":"true # other"}\n!say ok');
  assert.equal(agent.permissions.length, 3);
  await agent.stop();
  const again = await started({ home: agent.home });
  const next = await again.newSession(cwd);
  await again.prompt(next.sessionId, '!call write_file {"path":"c","content":"1"}\n!call run_command {"command":"true"}\n!say ok');
  assert.equal(again.permissions.length, 0);
  const elsewhere = await again.newSession(temporaryFolder());
  await again.prompt(elsewhere.sessionId, '!call write_file {"path":"c","content":"1"}\n!say ok');
  assert.equal(again.permissions.length, 1);
  await again.stop();
});

test("a kill at any moment loses at most what was under way", async () => {
  const rounds = Number(process.env.ACP_KILLS ?? 12);
  const cwd = temporaryFolder();
  let home, sessionId, seen = "", prompts = 0;
  for (let round = 0; round < rounds; ++round) {
    const agent = await started(home ? { home } : {});
    home = agent.home;
    if (round % 25 === 0) {  // the context has room for so many
      ({ sessionId } = await agent.newSession(cwd));
      prompts = 0;
    } else {
      await agent.request(METHOD.load, { sessionId, cwd, mcpServers: [] });
      const kept = agent.said(sessionId);
      assert.ok(kept.startsWith(seen), `lost: ${seen.slice(kept.length)} | ${kept.slice(-40)}`);
    }
    const chunks = () => agent.updatesOf(sessionId, "agent_message_chunk").length;
    const begin = chunks();
    agent.prompt(sessionId, `!slow 1\n!say ${`r${round} `.repeat(100)}`).catch(() => {});
    ++prompts;
    await agent.until(() => chunks() > begin + (round * 7) % 23, "some words");
    agent.child.kill("SIGKILL");
    await agent.exited;
    agent.checkFaults();
    seen = agent.said(sessionId);
  }
  const last = await started({ home });
  await last.request(METHOD.load, { sessionId, cwd, mcpServers: [] });
  assert.ok(last.said(sessionId).startsWith(seen));
  await last.prompt(sessionId, "!context");
  assert.match(last.said(sessionId), new RegExp(`users=${prompts + 1} results=0 interrupted=1`));
  await last.stop();
});

test("MCP servers of a session: their tools are called with permission, failures are said and stop nothing", async () => {
  const agent = await started({}, { session: { notices: {} } });
  const name = `gptoss-mcp-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const mcpServers = [
    { name: "sums", command: process.execPath, args: [serverScript, process.env.ACP_SDK, name], env: [] },
    { name: "broken", command: "/nonexistent/server", args: [], env: [] },
    { name: "streaming", type: "sse", url: "http://127.0.0.1:9/sse", headers: [] },
  ];
  const { sessionId } = await agent.request(METHOD.new, { cwd: temporaryFolder(), mcpServers });
  assert.equal((await agent.prompt(sessionId, '!call mcp__sums__add {"a":40,"b":2}\n!context')).stopReason, "end_turn");
  assert.match(agent.said(sessionId), /last=the sum is 42/);
  assert.match(agent.permissions[0].options[1].name, /add of sums/);
  const notices = agent.updatesOf(sessionId, "notice").map((n) => n.title);
  assert.equal(notices.filter((n) => n.includes("'broken'")).length, 1);
  assert.equal(notices.filter((n) => n.includes("'streaming'") && n.includes("SSE")).length, 1);
  // The trace that a prompt belongs to goes with the question for permission and the call.
  const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=b" };
  await agent.agent.request(METHOD.prompt, { sessionId, _meta: { ...trace, own: "x" },
    prompt: [{ type: "text", text: "!call mcp__sums__trace {}\n!context" }] });
  await agent.settled();
  assert.match(agent.said(sessionId), new RegExp(trace.traceparent));
  assert.doesNotMatch(agent.said(sessionId), /own/);
  assert.deepEqual(agent.permissions.at(-1)._meta, trace);
  await agent.prompt(sessionId, "!call mcp__sums__trace {}\n!context");
  assert.equal(agent.permissions.at(-1)._meta, undefined);
  await agent.prompt(sessionId, "/status");
  assert.match(agent.said(sessionId), /mcp__sums__add/);
  if (process.platform === "linux") assert.equal(processesWith(name).length, 1);
  await agent.request(METHOD.close, { sessionId });
  await gone(name);
  await agent.stop();
});

test("an MCP server at an address: its tools are called, its headers sent, its session ended", async () => {
  const seen = [];
  const results = {
    initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "web", version: "1" } },
    "tools/list": { tools: [{ name: "add", inputSchema: { type: "object" } }] },
    "tools/call": { content: [{ type: "text", text: "the sum is 42" }] },
  };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const message = body ? JSON.parse(body) : {};
    seen.push({ method: message.method ?? request.method, key: request.headers["x-key"], session: request.headers["mcp-session-id"] });
    if (message.id === undefined) return void response.writeHead(202).end();
    const answer = JSON.stringify({ jsonrpc: "2.0", id: message.id, result: results[message.method] });
    const stream = message.method === "tools/call";
    response.writeHead(200, { "Content-Type": stream ? "text/event-stream" : "application/json", "Mcp-Session-Id": "one" });
    response.end(stream ? `event: message\ndata: ${answer}\n\n` : answer);
  });
  await new Promise((r) => server.listen(0, "127.0.0.1", r));
  const agent = await started();
  const mcpServers = [{ type: "http", name: "web", url: `http://127.0.0.1:${server.address().port}/mcp`, headers: [{ name: "X-Key", value: "secret" }] }];
  const { sessionId } = await agent.request(METHOD.new, { cwd: temporaryFolder(), mcpServers });
  await agent.prompt(sessionId, '!call mcp__web__add {"a":40,"b":2}\n!context');
  assert.match(agent.said(sessionId), /last=the sum is 42/);
  assert.equal(agent.permissions.length, 1);
  await agent.request(METHOD.close, { sessionId });
  assert.deepEqual(seen.map((s) => s.method), ["initialize", "notifications/initialized", "tools/list", "tools/call", "DELETE"]);
  assert.ok(seen.every((s) => s.key === "secret"));
  assert.ok(seen.slice(1).every((s) => s.session === "one"));
  await agent.stop();
  server.close();
});
