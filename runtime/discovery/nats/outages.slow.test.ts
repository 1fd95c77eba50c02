import { describe, expect, test } from "vitest";
import { hasNats, startNats } from "../../testing/nats-server.ts";
import { openPair } from "../test-pair.ts";
import { watchLog } from "../testing.ts";

describe.runIf(hasNats)("with a real nats-server", () => {
  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "entries stay known during an outage of NATS (%s), and values put meanwhile are stored afterwards",
    async (signal) => {
      await using both = await openPair(startNats, (host) => `nats://${host}`);
      const { server, writer, reader, stateIs } = both;
      const lease = await writer.lease({ ttlMs: 2_000 });
      await writer.put("worker", 1, lease);
      await writer.put("other", 1, lease);
      const log = await watchLog(reader, "");
      if (signal === "SIGKILL") await server.kill();
      else server.signal(signal);
      await stateIs(false);
      await writer.put("worker", 2, lease);
      expect(log.entries).toEqual(
        new Map([
          ["worker", 1],
          ["other", 1],
        ]),
      );
      if (signal === "SIGKILL") await server.resume();
      else server.signal("SIGCONT");
      await stateIs(true);
      await log.until((entries) => entries.get("worker") === 2);
      expect(log.entries.get("other")).toBe(1);
      expect(log.events.filter(({ type }) => type === "delete")).toEqual([]);
      expect(both.states.map(({ isReachable }) => isReachable)).toEqual([false, true]);
      expect(both.states[0]!.reason).toContain(server.host);
    },
  );
});
