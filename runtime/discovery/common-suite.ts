import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watchLog } from "./testing.ts";
import type { Discovery } from "./types.ts";

export interface Backend {
  /** Another client of the same, empty store. */
  open(): Promise<Discovery>;
  /** Makes the store forget a lease, as if its holder had died. */
  forget(leaseId: string): Promise<void>;
  /** Deletes a key behind its holder's back; undefined where no other program can. */
  erase?(key: string): Promise<void>;
}

/** The suite for every discovery backend. */
export function discoverySuite(name: string, newBackend: () => Backend): void {
  describe(`${name} discovery`, () => {
    let backend: Backend;
    let opened: Discovery[];
    const open = async () => {
      const discovery = await backend.open();
      opened.push(discovery);
      return discovery;
    };

    beforeEach(() => {
      backend = newBackend();
      opened = [];
    });
    afterEach(async () => {
      for (const discovery of opened) await discovery.close();
    });

    test("returns stored values to every reader, as separate objects", async () => {
      const [writer, reader] = [await open(), await open()];
      const value = { name: "llama", sizes: [1, 2.5, null], nested: { ключ: true } };
      await writer.put("models/a", value);
      await writer.put("models/b", "text");
      await writer.put("other", 1);
      expect(await reader.get("models/")).toEqual(
        new Map<string, unknown>([
          ["models/a", value],
          ["models/b", "text"],
        ]),
      );
      (await reader.get("models/a")).set("models/a", null);
      value.sizes.length = 0;
      expect((await reader.get("models/a")).get("models/a")).toMatchObject({ sizes: [1, 2.5, null] });
    });

    test("accepts keys with any characters and of any length", async () => {
      const discovery = await open();
      const keys = [
        "/",
        "..",
        "../../etc/passwd",
        "a b%2f@c",
        "Ключ/🙂",
        "A",
        "a",
        "x".repeat(3_000),
        "~tilde",
        "a@-",
      ];
      for (const [index, key] of keys.entries()) await discovery.put(key, index);
      expect(await discovery.get("")).toEqual(
        new Map(keys.map((key, index): [string, number] => [key, index]).sort()),
      );
      for (const key of keys) await discovery.delete(key);
      expect((await discovery.get("")).size).toBe(0);
    });

    test("the last put of a key wins, regardless of leases", async () => {
      const [first, second] = [await open(), await open()];
      const [lease, other] = [await first.lease(), await second.lease()];
      await first.put("key", 1);
      await first.put("key", 2, lease);
      await second.put("key", 3, other);
      expect(await first.get("key")).toEqual(new Map([["key", 3]]));
      await lease.revoke();
      expect(await first.get("key")).toEqual(new Map([["key", 3]]));
      await other.revoke();
      expect((await first.get("key")).size).toBe(0);
    });

    test("deleting a missing key is not an error", async () => {
      await (await open()).delete("nothing");
    });

    test("a watch delivers a snapshot and then changes, in order, under its prefix only", async () => {
      const [writer, reader] = [await open(), await open()];
      await writer.put("a/1", 1);
      await writer.put("b/1", 1);
      const log = await watchLog(reader, "a/");
      expect(log.events).toEqual([{ type: "snapshot", entries: new Map([["a/1", 1]]) }]);
      await writer.put("a/2", 2);
      await log.until((entries) => entries.has("a/2"));
      await writer.put("b/2", 2);
      await writer.put("a/1", 10);
      await log.until((entries) => entries.get("a/1") === 10);
      await writer.delete("a/2");
      await log.until((entries) => !entries.has("a/2"));
      expect(log.events.slice(1)).toEqual([
        { type: "put", key: "a/2", value: 2 },
        { type: "put", key: "a/1", value: 10 },
        { type: "delete", key: "a/2" },
      ]);
    });

    test("a watch misses no change after its snapshot while others put", async () => {
      const [writer, reader] = [await open(), await open()];
      const keys = 20;
      const rounds = 15;
      const writing = (async () => {
        for (let round = 1; round <= rounds; round++) {
          for (let key = 0; key < keys; key++) await writer.put(`k/${key}`, round);
        }
      })();
      const logs = [];
      for (let watcher = 0; watcher < 5; watcher++) logs.push(await watchLog(reader, "k/"));
      await writing;
      for (const log of logs) {
        await log.until(
          (entries) => entries.size === keys && [...entries.values()].every((round) => round === rounds),
        );
        expect(log.events.filter((event) => event.type === "snapshot")).toHaveLength(1);
        const seen = new Map<string, number>();
        for (const event of log.events) {
          expect(event.type).not.toBe("delete");
          if (event.type !== "put") continue;
          expect(Number(event.value)).toBeGreaterThan(seen.get(event.key) ?? 0);
          seen.set(event.key, Number(event.value));
        }
      }
    });

    test("a closed watch gets no more events, but others do", async () => {
      const [writer, reader] = [await open(), await open()];
      const [closed, other] = [await watchLog(reader, ""), await watchLog(reader, "")];
      closed.watch.close();
      await writer.put("a", 1);
      await other.until((entries) => entries.has("a"));
      expect(closed.events).toHaveLength(1);
    });

    test("a listener can put and watch from within an event", async () => {
      const discovery = await open();
      const seen: string[] = [];
      const done = Promise.withResolvers<void>();
      await discovery.watch("", (event) => {
        if (event.type !== "put") return;
        seen.push(event.key);
        if (event.key === "first") void discovery.put("second", 2);
        if (event.key === "second") done.resolve();
      });
      await discovery.put("first", 1);
      await done.promise;
      expect(seen).toEqual(["first", "second"]);
    });

    test("revoking a lease removes its keys, and only those", async () => {
      const [writer, reader] = [await open(), await open()];
      const [lease, other] = [await writer.lease(), await writer.lease()];
      await writer.put("a", 1, lease);
      await writer.put("b", 1, lease);
      await writer.put("c", 1, other);
      await writer.put("d", 1);
      const log = await watchLog(reader, "");
      expect(log.entries.size).toBe(4);
      await lease.revoke();
      expect([...(await reader.get("")).keys()]).toEqual(["c", "d"]);
      await log.until((entries) => entries.size === 2);
      await lease.revoke();
    });

    test("a lease that the store loses is granted again, with all its keys", async () => {
      const [writer, reader] = [await open(), await open()];
      const lease = await writer.lease({ ttlMs: 400 });
      await writer.put("a", 1, lease);
      await writer.put("b", 1, lease);
      await writer.put("a", 2, lease);
      await writer.delete("b");
      const log = await watchLog(reader, "");
      await backend.forget(lease.id);
      // Events are in order, so those about the lost lease precede this one.
      await writer.put("c", 3, lease);
      await log.until((entries) => entries.get("c") === 3 && entries.get("a") === 2);
      expect(log.entries.size).toBe(2);
      await lease.revoke();
      await log.until((entries) => entries.size === 0);
    });

    test("a holder puts a key again that somebody else has deleted, unless it was deleted or taken over", async (context) => {
      if (backend.erase === undefined) return context.skip();
      const [writer, other, reader] = [await open(), await open(), await open()];
      const lease = await writer.lease({ ttlMs: 1_000 });
      const rival = await other.lease({ ttlMs: 1_000 });
      await writer.put("lost", 1, lease);
      await writer.put("deleted", 1, lease);
      await writer.put("taken", "writer", lease);
      await other.put("taken", "rival", rival);
      await writer.delete("deleted");
      const log = await watchLog(reader, "");
      // It may be back before its end is seen.
      const eraseUntilBack = async (key: string, value: string | number) => {
        const changes = log.events.length;
        await backend.erase!(key);
        await log.until((entries) => log.events.length > changes && entries.get(key) === value);
      };
      await eraseUntilBack("lost", 1);
      await eraseUntilBack("lost", 1);
      expect(log.entries).toEqual(
        new Map<string, unknown>([
          ["lost", 1],
          ["taken", "rival"],
        ]),
      );
      await lease.revoke();
      await log.until((entries) => !entries.has("lost"));
      await eraseUntilBack("taken", "rival");
      // Longer than the interval of renewals.
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect([...log.entries]).toEqual([["taken", "rival"]]);
    });

    test("nothing can be put under a revoked lease", async () => {
      const discovery = await open();
      const lease = await discovery.lease();
      await lease.revoke();
      await expect(discovery.put("a", 1, lease)).rejects.toMatchObject({ code: "lease_gone" });
    });

    test("closing waits for leases that are being revoked", async () => {
      const [closing, reader] = [await open(), await open()];
      const lease = await closing.lease();
      await closing.put("a", 1, lease);
      const revoking = lease.revoke();
      await closing.close();
      expect((await reader.get("")).size).toBe(0);
      await revoking;
    });

    test("closing revokes the leases opened here, and closes the watches", async () => {
      const [closing, reader] = [await open(), await open()];
      await closing.put("a", 1, await closing.lease());
      const closed = await watchLog(closing, "");
      const log = await watchLog(reader, "");
      await closing.close();
      await log.until((entries) => entries.size === 0);
      expect(closed.events).toHaveLength(1);
      await expect(closing.get("")).rejects.toMatchObject({ code: "closed" });
    });
  });
}
