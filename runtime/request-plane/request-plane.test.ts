import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { randomId } from "../ids.ts";
import { requestPlaneSuite } from "./common-suite.ts";
import { protocolSuite } from "./protocol-suite.ts";

const directory = mkdtempSync(join(tmpdir(), "stator-plane-"));
afterAll(() => rmSync(directory, { recursive: true }));

const transports: [string, () => string][] = [
  ["Unix sockets", () => `unix:${join(directory, randomId())}`],
  ["TCP", () => "tcp:127.0.0.1:0"],
  ["memory", () => `memory:${randomId()}`],
];

for (const [name, newAddress] of transports) {
  requestPlaneSuite(name, newAddress);
  protocolSuite(name, newAddress);
}
