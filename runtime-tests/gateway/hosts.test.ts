import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { binaryOf } from "../hosts.ts";
import { serveWorkerd } from "../workerd-server.ts";
import { gatewaySuite, type HostedGateway } from "./gateway.suite.ts";

const root = join(import.meta.dirname, "..", "..");
const main = join(root, "cli", "main.ts");
const executable = join(root, "dist", "stator");
const workerd = join(root, "dist", "workerd", "config.capnp");

interface Launcher {
  readonly command: () => readonly string[];
  readonly flags?: readonly string[];
}

const LAUNCHERS: Record<string, Launcher> = {
  Node: { command: () => [process.execPath, main] },
  "Node, in three processes": { command: () => [process.execPath, main], flags: ["--processes=3"] },
  Deno: {
    command: () => [binaryOf("deno"), "run", "--no-prompt", "--node-modules-dir=manual", "--allow-all", main],
  },
  Bun: { command: () => [binaryOf("bun"), main] },
  "the executable": { command: () => [executable] },
  "the executable, in two processes": { command: () => [executable], flags: ["--processes=2"] },
};

describe.each(Object.entries(LAUNCHERS))("stator attach on %s", (_name, { command, flags = [] }) => {
  gatewaySuite(
    async (engines): Promise<HostedGateway> => {
      const args = ["attach", ...engines, "--port=0", "--config=none", ...flags];
      const stator = new StatorProcess(args, {}, [...command()]);
      const [, url] = await stator.printed(/Send requests to (http:\S+)\/v1/);
      return { url: url!, stop: () => stator.stop() };
    },
    { hasEvents: true },
  );
});

describe("the gateway on workerd", () => {
  gatewaySuite(
    async (engines): Promise<HostedGateway> => {
      const { url, close } = await serveWorkerd(workerd, {
        STATOR_ENGINES: engines.join(","),
        STATOR_OPEN: "true",
        STATOR_HEALTH_INTERVAL: "0.2",
      });
      // It does not drain, but just ends.
      return { url, stop: () => close().then(() => 0) };
    },
    { hasEvents: false },
  );
});

describe("the executable", () => {
  test.each([
    ["--help", /attach {3,}Serve running engines/],
    ["version", /^stator \d+\.\d+\.\d+ \(Node \d+/],
    ["attach --help", /--processes/],
  ])("answers %s", async (args, text) => {
    const stator = new StatorProcess(args.split(" "), {}, [executable]);
    expect(await stator.ended()).toBe(0);
    expect(stator.stdout).toMatch(text);
  });
});
