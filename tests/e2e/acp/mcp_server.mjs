// A server of tools on the official SDK of MCP, over its pipes. Its folder of modules is its first argument.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = join(process.argv[2], "node_modules");
const server = join(modules, "@modelcontextprotocol/server/dist");
const { McpServer } = await import(pathToFileURL(join(server, "index.mjs")));
const { serveStdio } = await import(pathToFileURL(join(server, "stdio.mjs")));
const { z } = await import(pathToFileURL(join(modules, "zod/index.js")));

serveStdio(() => {
  const mcp = new McpServer({ name: "test", version: "1.0.0" });
  mcp.registerTool("add", { description: "Adds two numbers", inputSchema: z.object({ a: z.number(), b: z.number() }) },
    async ({ a, b }) => ({ content: [{ type: "text", text: `the sum is ${a + b}` }] }));
  mcp.registerTool("trace", { description: "Says which trace the call belongs to", inputSchema: z.object({}) },
    async (args, context) => ({ content: [{ type: "text", text: `meta ${JSON.stringify(context?.mcpReq?._meta ?? context?._meta ?? null)}` }] }));
  return mcp;
});
