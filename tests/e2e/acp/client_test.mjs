// What the agent asks of its client: files, terminals, forms and permissions, each only where it was announced.
import { test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, acp, gone, temporaryFolder } from "./harness.mjs";
import { Buffers, Terminals } from "./editor.mjs";

const CLIENT = acp.methods.client;

async function started(options, capabilities) {
  const agent = new Agent(options);
  await agent.initialize(capabilities);
  return agent;
}
const call = (name, args) => `!call ${name} ${JSON.stringify(args)}`;
const lastCall = (agent, sessionId) => agent.updatesOf(sessionId).filter((u) => u.toolCallId).at(-1);
const asked = (agent) => [...new Set(agent.theirs.values())].sort();

// ---- files -------------------------------------------------------------------------------------------------

test("tools read and write through the editor: what is not saved counts, and is not lost", async () => {
  const cwd = temporaryFolder();
  const path = (name) => join(cwd, name);
  for (const name of ["edited.txt", "patched.txt"]) writeFileSync(path(name), "on the disk\n");
  const buffers = new Buffers({ [path("edited.txt")]: "not saved\n", [path("patched.txt")]: "not saved\nmore\n" });
  const agent = await started({ handlers: buffers.handlers() }, { fs: { readTextFile: true, writeTextFile: true } });
  const { sessionId } = await agent.newSession(cwd);
  await agent.prompt(sessionId, `${call("read_file", { path: "edited.txt" })}\n!context`);
  assert.match(agent.said(sessionId), /last=not saved/);
  await agent.prompt(sessionId, call("edit_file", { path: "edited.txt", old_text: "not saved", new_text: "changed" }));
  assert.equal(buffers.files.get(path("edited.txt")), "changed\n");
  assert.deepEqual(lastCall(agent, sessionId).content[0],
    { type: "diff", path: path("edited.txt"), oldText: "not saved\n", newText: "changed\n" });
  const patch = "*** Begin Patch\n*** Update File: patched.txt\n@@\n-not saved\n+patched\n more\n*** Add File: deep/new.txt\n+new\n*** End Patch";
  await agent.prompt(sessionId, call("apply_patch", { patch }));
  assert.equal(buffers.files.get(path("patched.txt")), "patched\nmore\n");
  assert.equal(buffers.files.get(path("deep/new.txt")), "new\n");
  await agent.prompt(sessionId, call("write_file", { path: "whole.txt", content: "w" }));
  assert.equal(buffers.files.get(path("whole.txt")), "w");
  assert.equal(lastCall(agent, sessionId).status, "completed");
  // The disk is the editor's to write.
  assert.equal(readFileSync(path("edited.txt"), "utf8"), "on the disk\n");
  assert.ok(!existsSync(path("whole.txt")));
  await agent.stop();
});

test("a file that the editor does not give is read from the disk; one that it refuses is not written behind its back", async () => {
  const cwd = temporaryFolder(), outside = temporaryFolder();
  writeFileSync(join(cwd, "closed.txt"), "on the disk");
  const buffers = new Buffers();
  const agent = await started({ handlers: buffers.handlers() }, { fs: { readTextFile: true, writeTextFile: true } });
  const { sessionId } = await agent.newSession(cwd);
  await agent.prompt(sessionId, `${call("read_file", { path: "closed.txt" })}\n!context`);
  assert.match(agent.said(sessionId), /last=on the disk/);
  assert.deepEqual(buffers.reads, [join(cwd, "closed.txt")]);
  buffers.refuse = true;
  await agent.prompt(sessionId, `${call("write_file", { path: "closed.txt", content: "x" })}\n!context`);
  assert.equal(lastCall(agent, sessionId).status, "failed");
  assert.match(agent.said(sessionId), /locked/);
  assert.equal(readFileSync(join(cwd, "closed.txt"), "utf8"), "on the disk");
  // Outside the session's folders the editor has no say: the user was asked.
  await agent.prompt(sessionId, call("write_file", { path: join(outside, "o.txt"), content: "o" }));
  assert.equal(readFileSync(join(outside, "o.txt"), "utf8"), "o");
  // Bytes that are no UTF-8 do not go through JSON.
  writeFileSync(join(cwd, "latin.txt"), Buffer.from("caf\xe9 one\n", "latin1"));
  buffers.refuse = false;
  buffers.files.set(join(cwd, "latin.txt"), "caf\ufffd one\n");
  await agent.prompt(sessionId, call("edit_file", { path: "latin.txt", old_text: "one", new_text: "two" }));
  assert.deepEqual(readFileSync(join(cwd, "latin.txt")), Buffer.from("caf\xe9 two\n", "latin1"));
  await agent.stop();
});

test("paths for the editor begin as it named its folder; links are followed before it is asked", async () => {
  const real = temporaryFolder(), outside = temporaryFolder();
  const named = join(temporaryFolder(), "link");
  symlinkSync(real, named);
  symlinkSync(outside, join(real, "door"));
  mkdirSync(join(real, "src"));
  const buffers = new Buffers();
  const agent = await started({ handlers: buffers.handlers() }, { fs: { readTextFile: true, writeTextFile: true } });
  const { sessionId } = await agent.newSession(named);
  await agent.prompt(sessionId, call("write_file", { path: "src/a.txt", content: "a" }));
  assert.deepEqual([...buffers.files.keys()], [join(named, "src/a.txt")]);
  await agent.prompt(sessionId, call("write_file", { path: "door/b.txt", content: "b" }));
  assert.deepEqual(agent.permissions.at(-1).options.map((o) => o.kind), ["allow_once", "reject_once"]);
  assert.deepEqual([...buffers.files.keys()], [join(named, "src/a.txt")]);
  assert.equal(readFileSync(join(outside, "b.txt"), "utf8"), "b");
  await agent.stop();
});

test("CLIENTCAP: reading alone, writing alone and neither are kept apart", async () => {
  for (const fs of [{ readTextFile: true }, { writeTextFile: true }, {}]) {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "f.txt"), "disk\n");
    const buffers = new Buffers({ [join(cwd, "f.txt")]: "buffer\n" });
    const agent = await started({ handlers: buffers.handlers() }, { fs });
    const { sessionId } = await agent.newSession(cwd);
    const before = fs.readTextFile ? "buffer" : "disk";
    await agent.prompt(sessionId, call("edit_file", { path: "f.txt", old_text: before, new_text: "new" }));
    assert.equal(lastCall(agent, sessionId).status, "completed");
    assert.equal(fs.writeTextFile ? buffers.files.get(join(cwd, "f.txt")) : readFileSync(join(cwd, "f.txt"), "utf8"), "new\n");
    const expected = ["session/request_permission"];
    if (fs.readTextFile) expected.push(CLIENT.fs.readTextFile);
    if (fs.writeTextFile) expected.push(CLIENT.fs.writeTextFile);
    assert.deepEqual(asked(agent), expected.sort());
    await agent.stop();
  }
});

// ---- terminals ---------------------------------------------------------------------------------------------

async function withTerminals(options) {
  const terminals = new Terminals(options);
  const agent = await started({ handlers: terminals.handlers() }, { terminal: true });
  const cwd = temporaryFolder();
  return { terminals, agent, cwd, ...(await agent.newSession(cwd)) };
}
const lasting = (name) => call("run_command", { command: `echo begun; : ${name}; sleep 3000`, timeout_seconds: 3000 });

test("a command runs in the client's terminal, which is shown and given back", async () => {
  const { terminals, agent, cwd, sessionId } = await withTerminals();
  await agent.prompt(sessionId, `${call("run_command", { command: "pwd; echo out; echo err >&2; exit 3" })}\n!context`);
  assert.match(agent.said(sessionId), /last=[\s\S]*out[\s\S]*err[\s\S]*\[exit code 3\]/);
  assert.ok(agent.said(sessionId).includes(cwd));
  assert.deepEqual(terminals.log, ["create", "wait", "output", "release"]);
  assert.equal(terminals.open, 0);
  const updates = agent.updatesOf(sessionId).filter((u) => u.toolCallId);
  assert.ok(updates.some((u) => u.content?.some((c) => c.type === "terminal" && c.terminalId === "terminal-1")));
  assert.equal(updates.at(-1).status, "failed");
  assert.equal(updates.at(-1).rawOutput.exitCode, 3);
  await agent.prompt(sessionId, call("run_command", { command: "kill -9 $$" }));
  assert.match(JSON.stringify(lastCall(agent, sessionId)), /ended by signal SIGKILL/);
  assert.equal(terminals.open, 0);
  await agent.stop();
});

test("a command in the client's terminal is killed when its time is over, and when the turn is cancelled", async () => {
  const { terminals, agent, sessionId } = await withTerminals();
  await agent.prompt(sessionId, `${call("run_command", { command: "echo begun; sleep 3000", timeout_seconds: 1 })}\n!context`);
  assert.match(agent.said(sessionId), /begun\n\[stopped after 1 s\]/);
  assert.deepEqual(terminals.log, ["create", "wait", "kill", "output", "release"]);
  terminals.log.length = 0;
  const name = `gptoss-terminal-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const turn = agent.prompt(sessionId, lasting(name));
  await agent.until(() => terminals.log.includes("wait"), "the command");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  await agent.until(() => terminals.open === 0, "the release");
  assert.deepEqual(terminals.log, ["create", "wait", "kill", "output", "release"]);
  await gone(name);
  assert.equal(lastCall(agent, sessionId).status, "failed");
  assert.equal((await agent.prompt(sessionId, "!say next")).stopReason, "end_turn");
  await agent.stop();
});

test("a terminal that comes after the cancel is given back too", async () => {
  let open;
  const { terminals, agent, sessionId } = await withTerminals({ onCreate: () => new Promise((resolve) => (open = resolve)) });
  const turn = agent.prompt(sessionId, lasting("late"));
  await agent.until(() => open, "the question for a terminal");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  open();
  await agent.until(() => terminals.log.includes("release"), "the release");
  assert.equal(terminals.open, 0);
  await agent.stop();
});

test("a client that fails at terminals: said to the model, nothing hangs", async () => {
  const failing = (handlers, method) => ({ ...handlers, [method]: () => { throw acp.RequestError.internalError({}, "no terminal today"); } });
  for (const method of [CLIENT.terminal.create, CLIENT.terminal.waitForExit, CLIENT.terminal.output]) {
    const terminals = new Terminals();
    const agent = await started({ handlers: failing(terminals.handlers(), method) }, { terminal: true });
    const { sessionId } = await agent.newSession(temporaryFolder());
    await agent.prompt(sessionId, `${call("run_command", { command: "echo x" })}\n!context`);
    assert.match(agent.said(sessionId), /no terminal today/);
    assert.equal(terminals.open, 0);
    await agent.stop();
  }
});

// ---- forms -------------------------------------------------------------------------------------------------

test("the model asks the user by a form, where forms are announced", async () => {
  let answer;
  const forms = [];
  const handlers = { [CLIENT.elicitation.create]: ({ params }) => { forms.push(params); return answer; } };
  const agent = await started({ handlers }, { elicitation: { form: {} } });
  const { sessionId } = await agent.newSession(temporaryFolder());
  const ask = (args) => agent.prompt(sessionId, `${call("ask_user", args)}\n!context`);
  const last = () => agent.said(sessionId).split("last=").at(-1);
  answer = { action: "accept", content: { answer: "tabs" } };
  await ask({ question: "Tabs or spaces?", options: ["tabs", "spaces"] });
  assert.equal(last(), "The user answered: tabs");
  assert.equal(forms[0].mode, "form");
  assert.equal(forms[0].sessionId, sessionId);
  assert.equal(forms[0].toolCallId, lastCall(agent, sessionId).toolCallId);
  assert.deepEqual(forms[0].requestedSchema.properties.answer.enum, ["tabs", "spaces"]);
  answer = { action: "accept", content: { answer: "tabs", other: "both" } };
  await ask({ question: "Tabs or spaces?", options: ["tabs", "spaces"] });
  assert.equal(last(), "The user answered: both");
  answer = { action: "accept", content: { answer: "blue" } };
  await ask({ question: "Which colour?" });
  assert.equal(last(), "The user answered: blue");
  assert.deepEqual(forms[2].requestedSchema.required, ["answer"]);
  for (const [reply, text] of [[{ action: "decline" }, /declined/], [{ action: "cancel" }, /without an answer/], [{ action: "accept" }, /no answer/]]) {
    answer = reply;
    await ask({ question: "Which colour?" });
    assert.match(last(), text);
    assert.equal(lastCall(agent, sessionId).status, "completed");
  }
  await agent.prompt(sessionId, "/status");
  assert.match(agent.said(sessionId), /ask_user/);
  assert.equal(agent.permissions.length, 0);
  await agent.stop();
});

test("a cancel while a form is open withdraws it", async () => {
  const handlers = { [CLIENT.elicitation.create]: () => new Promise(() => {}) };
  const agent = await started({ handlers }, { elicitation: { form: {} } });
  const { sessionId } = await agent.newSession(temporaryFolder());
  const turn = agent.prompt(sessionId, call("ask_user", { question: "Well?" }));
  await agent.until(() => [...agent.theirs.values()].includes(CLIENT.elicitation.create), "the form");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  await agent.until(() => agent.frames.find((f) => f.from === "agent" && f.frame.method === "$/cancel_request"), "its withdrawal");
  await agent.stop();
});

test("CLIENTCAP: no form without it being announced, and no tool for one", async () => {
  for (const elicitation of [undefined, {}, { url: {} }]) {
    const agent = await started({}, elicitation === undefined ? {} : { elicitation });
    const { sessionId } = await agent.newSession(temporaryFolder());
    await agent.prompt(sessionId, `${call("ask_user", { question: "Well?" })}\n!context`);
    assert.match(agent.said(sessionId), /there is no tool ask_user/);
    assert.deepEqual(asked(agent), []);
    await agent.stop();
  }
});

// ---- permissions -------------------------------------------------------------------------------------------

test("all four answers to a permission; a refusal for ever names its scope, outlives the program and can be forgotten", async () => {
  let kind = "reject_always";
  const agent = await started({ onPermission: (params) => params.options.find((o) => o.kind === kind).optionId });
  const cwd = temporaryFolder();
  const { sessionId } = await agent.newSession(cwd);
  const write = (name) => agent.prompt(sessionId, `${call("write_file", { path: name, content: "1" })}\n!context`);
  await write("a");
  assert.deepEqual(agent.permissions[0].options.map((o) => o.kind), ["allow_once", "allow_always", "reject_once", "reject_always"]);
  for (const option of agent.permissions[0].options.filter((o) => o.kind.endsWith("always"))) assert.match(option.name, new RegExp(cwd));
  assert.equal(lastCall(agent, sessionId).status, "failed");
  await write("b");
  assert.equal(agent.permissions.length, 1);
  assert.match(agent.said(sessionId), /The user refused this call/);
  assert.ok(!existsSync(join(cwd, "a")) && !existsSync(join(cwd, "b")));
  kind = "allow_once";
  await agent.prompt(sessionId, call("run_command", { command: "echo ran > ran" }));
  assert.ok(existsSync(join(cwd, "ran")));
  await agent.stop();
  const again = await started({ home: agent.home, onPermission: () => "allow_once" });
  const next = await again.newSession(cwd);
  await again.prompt(next.sessionId, `${call("write_file", { path: "c", content: "1" })}\n!say ok`);
  assert.equal(again.permissions.length, 0);
  assert.ok(!existsSync(join(cwd, "c")));
  await again.prompt(next.sessionId, "/permissions");
  assert.match(again.said(next.sessionId), /refuse edit/);
  await again.prompt(next.sessionId, "/permissions forget");
  await again.prompt(next.sessionId, call("write_file", { path: "c", content: "1" }));
  assert.equal(again.permissions.length, 1);
  assert.ok(existsSync(join(cwd, "c")));
  await again.stop();
});
