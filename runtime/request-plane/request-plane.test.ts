import { join } from "node:path";
import { afterAll, describe } from "vitest";
import { makeAuthority, makeCertificate } from "../../scripts/testing/certificates.ts";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { randomId } from "../ids.ts";
import { hasNats, startNats } from "../testing/nats-server.ts";
import { requestPlaneSuite } from "./common-suite.ts";
import { protocolSuite } from "./protocol-suite.ts";
import type { PlaneContext } from "./testing.ts";

const directory = temporaryFolder();

const authority = await makeAuthority(directory, "authority");
const server = await makeCertificate(directory, "server", authority);
const client = await makeCertificate(directory, "client", authority);

const transports: [string, () => string, PlaneContext?][] = [
  ["Unix sockets", () => `unix:${join(directory, randomId())}`],
  ["TCP", () => "tcp:127.0.0.1:0"],
  [
    "mutual TLS",
    () => "tls:127.0.0.1:0",
    {
      serve: { tls: { ...server, clientCa: authority.cert } },
      connect: { tls: { ...client, ca: authority.cert } },
    },
  ],
  ["memory", () => `memory:${randomId()}`],
];

for (const [name, newAddress, context] of transports) {
  requestPlaneSuite(name, newAddress, context);
  protocolSuite(name, newAddress, context);
}

describe.runIf(hasNats)("with a real nats-server", async () => {
  const nats = hasNats ? await startNats() : undefined;
  afterAll(() => nats?.[Symbol.asyncDispose]());
  const url = `nats://${nats?.host}`;
  const context = { serve: { nats: url }, connect: { nats: url } };
  requestPlaneSuite("NATS", () => "nats:", context);
  protocolSuite("NATS", () => "nats:", context);
});
