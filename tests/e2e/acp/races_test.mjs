// What happens when things happen at once: cancels at any moment, the end of the input at any moment, many sessions.
import { test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, acp, gone, processesWith, program, scripted, temporaryFolder } from "./harness.mjs";

const METHOD = acp.methods.agent.session;
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

async function started(options, capabilities) {
  const agent = new Agent(options);
  await agent.initialize(capabilities);
  return agent;
}
// A command that nobody else runs, and that lasts.
function mark() {
  return `gptoss-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
}
function lasting(name) {
  return `!call run_command ${JSON.stringify({ command: `echo begun > begun; sh -c 'sleep 3000; : ${name}' & sh -c 'sleep 3000; : ${name}'` })}`;
}
async function inACommand(agent, sessionId, cwd, name) {
  const turn = agent.prompt(sessionId, lasting(name)).catch((error) => error);
  await agent.until(() => existsSync(join(cwd, "begun")), "the command's begin");
  return turn;
}

for (const delay of [0, 1, 10, 100]) {
  test(`cancel ${delay} ms into a turn, again and again; the next prompt runs`, async () => {
    const agent = await started();
    const { sessionId } = await agent.newSession(temporaryFolder());
    for (let round = 0; round < 5; ++round) {
      const turn = agent.prompt(sessionId, `!slow 4\n!say ${"word ".repeat(400)}`);
      if (delay > 0) await sleep(delay);
      await agent.cancel(sessionId);
      assert.equal((await turn).stopReason, "cancelled");
      const end = agent.frames.length;
      assert.equal((await agent.prompt(sessionId, `!say round ${round}`)).stopReason, "end_turn");
      assert.ok(agent.said(sessionId).endsWith(`round ${round}`));
      assert.ok(agent.frames.length > end);
    }
    await agent.stop();
  });
}

test("prompts queue; a cancel reaches those before it and none after it", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  const turns = [1, 2, 3].map((n) => agent.prompt(sessionId, `!slow 5\n!say ${"x".repeat(300)}${n}`));
  await agent.until(() => agent.said(sessionId), "the first words");
  await agent.cancel(sessionId);
  const after = agent.prompt(sessionId, "!say after");
  for (const turn of turns) assert.equal((await turn).stopReason, "cancelled");
  assert.equal((await after).stopReason, "end_turn");
  const order = [1, 2, 3].map((n) => agent.prompt(sessionId, `!say <${n}>`));
  await Promise.all(order);
  assert.match(agent.said(sessionId), /after<1><2><3>$/);
  await agent.stop();
});

test("$/cancel_request of the prompt is a cancel", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  const controller = new AbortController();
  const turn = agent.prompt(sessionId, `!slow 5\n!say ${"x".repeat(2000)}`, { cancellationSignal: controller.signal });
  await agent.until(() => agent.said(sessionId), "the first words");
  controller.abort();
  await turn.catch(() => {});
  const stop = await agent.until(() => agent.frames.find((f) => f.frame.result?.stopReason), "the answer");
  assert.equal(stop.frame.result.stopReason, "cancelled");
  assert.equal((await agent.prompt(sessionId, "!say next")).stopReason, "end_turn");
  await agent.stop();
});

test("a cancel while a command runs ends it with all it started", async () => {
  const agent = await started();
  const cwd = temporaryFolder(), name = mark();
  const { sessionId } = await agent.newSession(cwd);
  const turn = inACommand(agent, sessionId, cwd, name);
  await agent.until(() => existsSync(join(cwd, "begun")), "the command");
  if (process.platform === "linux") assert.ok(processesWith(name).length >= 1);
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  await gone(name);
  const call = agent.updatesOf(sessionId).filter((u) => u.toolCallId).at(-1);
  assert.equal(call.status, "failed");
  await agent.stop();
});

test("a cancel while permission is asked, even of a client that never answers", async () => {
  const agent = await started({ onPermission: () => new Promise(() => {}) });
  const { sessionId } = await agent.newSession(temporaryFolder());
  const turn = agent.prompt(sessionId, '!call write_file {"path":"a","content":"b"}\n!say ok');
  await agent.until(() => agent.permissions.length, "the question");
  await agent.cancel(sessionId);
  assert.equal((await turn).stopReason, "cancelled");
  await agent.until(() => agent.frames.find((f) => f.from === "agent" && f.frame.method === "$/cancel_request"), "its withdrawal");
  assert.equal((await agent.prompt(sessionId, "!say next")).stopReason, "end_turn");
  await agent.stop();
});

test("a client that answers a question with cancelled, or refuses", async () => {
  let answer = null;
  const agent = await started({ onPermission: () => answer });
  const { sessionId } = await agent.newSession(temporaryFolder());
  const write = () => agent.prompt(sessionId, '!call write_file {"path":"a","content":"b"}\n!say went on');
  assert.equal((await write()).stopReason, "cancelled");
  answer = "reject_once";
  assert.equal((await write()).stopReason, "end_turn");
  assert.match(agent.said(sessionId), /went on/);
  answer = "no-such-option";
  assert.equal((await write()).stopReason, "end_turn");
  await agent.stop();
});

test("close and delete during a turn: the prompt answers first", async () => {
  for (const method of [METHOD.close, METHOD.delete]) {
    const agent = await started();
    const cwd = temporaryFolder(), name = mark();
    const { sessionId } = await agent.newSession(cwd);
    const turn = inACommand(agent, sessionId, cwd, name);
    await agent.until(() => existsSync(join(cwd, "begun")), "the command");
    const closed = agent.request(method, { sessionId });
    assert.equal((await turn).stopReason, "cancelled");
    assert.deepEqual(await closed, {});
    const order = agent.frames.filter((f) => f.from === "agent" && f.frame.result &&
      (f.frame.result.stopReason || Object.keys(f.frame.result).length === 0)).map((f) => f.frame.result.stopReason ?? "closed");
    assert.deepEqual(order, ["cancelled", "closed"]);
    await gone(name);
    await agent.stop();
  }
});

test("the end of the input in a turn, in a command and in a question: out in time, no child left", async () => {
  const took = [];
  for (const where of ["turn", "command", "question"]) {
    const agent = await started({ onPermission: where === "question" ? () => new Promise(() => {}) : undefined });
    const cwd = temporaryFolder(), name = mark();
    const { sessionId } = await agent.newSession(cwd);
    if (where === "turn") {
      agent.prompt(sessionId, `!slow 5\n!say ${"x".repeat(3000)}`).catch(() => {});
      await agent.until(() => agent.said(sessionId), "the first words");
    } else if (where === "command") {
      inACommand(agent, sessionId, cwd, name);
      await agent.until(() => existsSync(join(cwd, "begun")), "the command");
    } else {
      agent.prompt(sessionId, '!call write_file {"path":"a","content":"b"}').catch(() => {});
      await agent.until(() => agent.permissions.length, "the question");
    }
    took.push(`${where} ${(await agent.stop()).toFixed(0)} ms`);
    await gone(name);
  }
  console.log(`ended after the end of the input: ${took.join(", ")}`);
});

test("SIGTERM in a command: no child left", async () => {
  const agent = await started();
  const cwd = temporaryFolder(), name = mark();
  const { sessionId } = await agent.newSession(cwd);
  inACommand(agent, sessionId, cwd, name);
  await agent.until(() => existsSync(join(cwd, "begun")), "the command");
  agent.child.kill("SIGTERM");
  assert.equal((await agent.exited).code, 143);
  await gone(name);
});

test("fifty sessions at once", async () => {
  const agent = await started();
  const sessions = await Promise.all(Array.from({ length: 50 }, () => agent.newSession(temporaryFolder())));
  const results = await Promise.all(sessions.map(({ sessionId }, n) =>
    agent.prompt(sessionId, `!think ${n}\n!call list_directory {"path":"."}\n!say I am ${n}.`)));
  assert.ok(results.every((r) => r.stopReason === "end_turn"));
  sessions.forEach(({ sessionId }, n) => assert.equal(agent.said(sessionId), `I am ${n}.`));
  await agent.stop();
});

test("a reader that is slow gets everything; one that is gone ends the program", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  agent.child.stdout.pause();
  const turn = agent.prompt(sessionId, '!call run_command {"command":"yes | head -c 300000"}\n!say end');
  await sleep(300);
  agent.child.stdout.resume();
  assert.equal((await turn).stopReason, "end_turn");
  agent.child.stdout.destroy();
  agent.prompt(sessionId, `!say ${"x".repeat(1000)}`).catch(() => {});
  agent.child.stdin.end();
  assert.equal((await agent.exited).signal, null);
});

test("a client that reads no more is one that is gone, though it keeps our input open", async () => {
  const agent = await started();
  const { sessionId } = await agent.newSession(temporaryFolder());
  agent.child.stdout.destroy();
  agent.prompt(sessionId, `!say ${"x".repeat(1000)}`).catch(() => {});
  assert.equal((await agent.exited).signal, null);
});

test("on a full disk a conversation goes on, and says once a turn that it is not kept", async () => {
  // No file may grow beyond 400 kB: the database cannot take a prompt of a megabyte.
  const limited = { command: "bash", args: ["-c", 'trap "" XFSZ; ulimit -f 400; exec "$0"', scripted] };
  const long = `!say ${"word ".repeat(200_000)}`;
  const quiet = await started(limited);
  const plain = await quiet.newSession(temporaryFolder());
  assert.equal((await quiet.prompt(plain.sessionId, "!say small")).stopReason, "end_turn");
  assert.equal((await quiet.prompt(plain.sessionId, long)).stopReason, "max_tokens");  // more than the context holds
  assert.match(quiet.said(plain.sessionId), /not being kept/);
  await quiet.stop();
  const agent = await started(limited, { session: { notices: {} } });
  const { sessionId } = await agent.newSession(temporaryFolder());
  for (let turn = 1; turn <= 2; ++turn) {
    assert.equal((await agent.prompt(sessionId, long)).stopReason, "max_tokens");
    const notices = agent.updatesOf(sessionId, "notice");
    assert.equal(notices.length, turn);
    assert.match(notices.at(-1).description, /not being kept: .*(full|I\/O|disk)/);
  }
  assert.doesNotMatch(agent.said(sessionId), /not being kept/);
  await agent.stop();
});

test("long output: capped tails, or increments for a client with display terminals", async () => {
  const command = '!call run_command {"command":"i=0; while [ $i -lt 40 ]; do head -c 20000 /dev/zero | tr \'\\\\0\' x; echo; i=$((i+1)); sleep 0.05; done"}\n!say ok';
  const plain = await started();
  const one = await plain.newSession(temporaryFolder());
  await plain.prompt(one.sessionId, command);
  const sent = plain.frames.filter((f) => f.from === "agent").reduce((n, f) => n + JSON.stringify(f.frame).length, 0);
  assert.ok(sent < 400000, `${sent} bytes for 800 kB of output`);
  await plain.stop();
  const terminal = await started({}, { _meta: { terminal_output: true } });
  const two = await terminal.newSession(temporaryFolder());
  await terminal.prompt(two.sessionId, command);
  const updates = terminal.updatesOf(two.sessionId, "tool_call_update");
  const data = updates.map((u) => u._meta?.terminal_output?.data ?? "").join("");
  assert.equal(data.length, 40 * 20001);
  assert.equal(updates.filter((u) => u._meta?.terminal_exit).length, 1);
  await terminal.stop();
});

test("the demo model reads a file that it is asked about, and answers with what stands in it", async () => {
  const agent = await started({ command: program, args: ["acp", "-m", "demo"] });
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "notes.txt"), "mountain bikes");
  const { sessionId } = await agent.newSession(cwd);
  assert.equal((await agent.prompt(sessionId, "read notes.txt")).stopReason, "end_turn");
  const calls = agent.updatesOf(sessionId).filter((u) => u.toolCallId);
  assert.equal(calls[0].name, "read_file");
  assert.deepEqual(calls[0].rawInput, { path: "notes.txt" });
  assert.equal(calls.at(-1).status, "completed");
  assert.match(agent.said(sessionId), /mountain bikes/);
  await agent.stop();
});
