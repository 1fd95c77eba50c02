import { describe, expect, test } from "vitest";
import { messageOf } from "../../message-of.ts";
import { openDiscovery } from "../open.ts";
import { openPair } from "../test-pair.ts";
import { watchLog } from "../testing.ts";
import { etcdctl, hasEtcd, startEtcd } from "./test-etcd.ts";

describe.runIf(hasEtcd)("with a real etcd", () => {
  /** A separate etcd, with a writer and a reader. */
  const pair = () => openPair(startEtcd, (host) => `etcd://${host}`);

  test("entries stay known during an outage of etcd, and values put meanwhile are stored afterwards", async () => {
    await using both = await pair();
    const { server: etcd, writer, reader, stateIs } = both;
    const lease = await writer.lease({ ttlMs: 2_000 });
    await writer.put("worker", 1, lease);
    await writer.put("other", 1, lease);
    const log = await watchLog(reader, "");
    await etcd.kill();
    await stateIs(false);
    await writer.put("worker", 2, lease);
    await writer.delete("other").catch(() => {});
    expect(log.entries).toEqual(
      new Map([
        ["worker", 1],
        ["other", 1],
      ]),
    );
    await etcd.resume();
    await stateIs(true);
    await log.until((entries) => entries.get("worker") === 2);
    expect(both.states.map(({ isReachable }) => isReachable)).toEqual([false, true]);
    expect(both.states[0]!.reason).toMatch(
      new RegExp(
        `^etcd at ${etcd.host}: (?:(?:connect|read) E[A-Z]+.*|it does not answer in time|.*closed)$`,
      ),
    );
  });

  test("clients with a password survive a restart with authentication enabled; others get the reason", async () => {
    await using both = await pair();
    const { server: etcd, writer, reader, states, stateIs } = both;
    await etcdctl(etcd, "user", "add", "root:secret");
    await etcdctl(etcd, "user", "grant-role", "root", "root");
    await watchLog(reader, "");
    await etcdctl(etcd, "auth", "enable");
    await stateIs(false);
    expect(states.at(-1)!.reason).toMatch(
      /user name is empty: write USER:PASSWORD@|invalid auth token|authentication/,
    );
    await etcd.kill();
    await etcd.resume();
    await expect(openDiscovery(`etcd://root:wrong@${etcd.host}`)).rejects.toThrow(/authentication failed/);
    const known = await openDiscovery(`etcd://root:secret@${etcd.host}`);
    const log = await watchLog(known, "");
    await known.put("worker", 1, await known.lease({ ttlMs: 2_000 }));
    await log.until((entries) => entries.has("worker"));
    await etcd.kill();
    await etcd.resume();
    // A call fails if the connection is not back within its deadline.
    await expect.poll(() => known.put("worker", 2).then(() => "written", messageOf)).toBe("written");
    await log.until((entries) => entries.get("worker") === 2);
    await known.close();
    await writer.close();
  });
});
