import { join } from "node:path";
import { describe } from "vitest";
import { StatorProcess } from "../../cli/e2e/stator-process.ts";
import { binaryOf } from "../hosts.ts";
import { gatewaySuite, type HostedGateway } from "./gateway.suite.ts";

const main = join(import.meta.dirname, "..", "..", "cli", "main.ts");

const LAUNCHERS: Record<string, () => string[]> = {
  Node: () => [process.execPath, main],
  Deno: () => [binaryOf("deno"), "run", "--no-prompt", "--node-modules-dir=manual", "--allow-all", main],
  Bun: () => [binaryOf("bun"), main],
};

describe.each(Object.entries(LAUNCHERS))("stator attach on %s", (_name, launcher) => {
  gatewaySuite(
    async (engines): Promise<HostedGateway> => {
      const stator = new StatorProcess(["attach", ...engines, "--port=0", "--config=none"], {}, launcher());
      const [, url] = await stator.printed(/Ask them at (http:\S+)\/v1/);
      return { url: url!, stop: () => stator.stop() };
    },
    { hasEvents: true },
  );
});
