import { describe, expect, test } from "vitest";
import { hasNats, startPlainNats } from "../../testing/nats-server.ts";
import { connect } from "../client.ts";

// The common transport suites also run over NATS, in `request-plane.test.ts`; outages are in `outages.slow.test.ts`.

describe.runIf(hasNats)("calls over NATS", () => {
  test("fail if nothing listens, or without a NATS server", async () => {
    await using nats = await startPlainNats();
    const url = `nats://${nats.host}/client`;
    await expect(connect("nats:nothing.here", { nats: url })).rejects.toMatchObject({
      code: "connection_lost",
      message: "Cannot reach nats:nothing.here: nothing listens there.",
    });
    await expect(connect("nats:nothing.here")).rejects.toThrow("needs the URL of a NATS server");
    await expect(connect("nats:a b", { nats: url })).rejects.toThrow("is not a NATS address");
    await nats.kill();
    await expect(connect("nats:x", { nats: `${url}-down` })).rejects.toThrow("NATS cannot be reached");
  });
});
