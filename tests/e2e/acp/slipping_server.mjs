// The server of tools, which has started something in a session of its own: out of its process group's reach.
import { spawn } from "node:child_process";

spawn("sh", ["-c", `sleep 3000; : ${process.argv[3]}`], { detached: true, stdio: "ignore" }).unref();
await import("./mcp_server.mjs");
