// What an editor does for an agent: files with changes that are not saved, terminals, forms.
import { spawn } from "node:child_process";
import { acp } from "./harness.mjs";

const CLIENT = acp.methods.client;

// Files by path as the editor shows them. It writes to no disk, so that what went through it can be told apart.
export class Buffers {
  constructor(files = {}) {
    this.files = new Map(Object.entries(files));
    this.reads = [];
    this.refuse = false;
  }
  handlers() {
    return {
      [CLIENT.fs.readTextFile]: ({ params }) => {
        this.reads.push(params.path);
        if (!this.files.has(params.path)) throw acp.RequestError.resourceNotFound(params.path);
        return { content: this.files.get(params.path) };
      },
      [CLIENT.fs.writeTextFile]: ({ params }) => {
        if (this.refuse) throw acp.RequestError.internalError({}, "the file is locked");
        this.files.set(params.path, params.content);
        return {};
      },
    };
  }
}

// Terminals that run their commands, each in a process group of its own.
export class Terminals {
  constructor({ onCreate } = {}) {
    this.terminals = new Map();
    this.log = []; // what was asked, in order: "create", "kill" …
    this.onCreate = onCreate; // waited for before a terminal is made
  }
  get open() {
    return [...this.terminals.values()].filter((t) => !t.released).length;
  }
  async create(params) {
    this.log.push("create");
    if (this.onCreate) await this.onCreate(params);
    const id = `terminal-${this.terminals.size + 1}`;
    const child = spawn(params.command, params.args ?? [], { cwd: params.cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const terminal = { child, output: "", truncated: false, released: false, params };
    const limit = params.outputByteLimit ?? Infinity;
    const take = (data) => {
      terminal.output += data;
      if (terminal.output.length > limit) {
        terminal.output = terminal.output.slice(-limit);
        terminal.truncated = true;
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    terminal.exited = new Promise((resolve) => child.on("close", (exitCode, signal) => resolve({ exitCode, signal })));
    this.terminals.set(id, terminal);
    return { terminalId: id };
  }
  get(params) {
    const terminal = this.terminals.get(params.terminalId);
    if (!terminal || terminal.released) throw acp.RequestError.resourceNotFound(params.terminalId);
    return terminal;
  }
  end(terminal) {
    try {
      process.kill(-terminal.child.pid, "SIGKILL");
    } catch { /* it has ended */ }
  }
  handlers() {
    const logged = (name, handler) => async ({ params }) => {
      this.log.push(name);
      return await handler(this.get(params));
    };
    return {
      [CLIENT.terminal.create]: ({ params }) => this.create(params),
      [CLIENT.terminal.output]: logged("output", (t) => ({ output: t.output, truncated: t.truncated })),
      [CLIENT.terminal.waitForExit]: logged("wait", (t) => t.exited),
      [CLIENT.terminal.kill]: logged("kill", (t) => {
        this.end(t);
        return {};
      }),
      [CLIENT.terminal.release]: logged("release", (t) => {
        this.end(t);
        t.released = true;
        return {};
      }),
    };
  }
}
