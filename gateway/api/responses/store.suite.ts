import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomId } from "#runtime";
import { conversationAfter } from "../conversations/changes.ts";
import type { ResponseObject, ResponseStatus } from "./response.ts";
import type { ResponseStore, StoredResponse } from "./store.ts";

const TTL_MS = 3_600_000;
const OWNER = "team";

const stored = (id: string, status: ResponseStatus, text = "Hi"): StoredResponse => {
  const response = { id, object: "response", status, output: [], metadata: { text } };
  return { owner: OWNER, response: response as unknown as ResponseObject, input: [] };
};
const newId = (kind = "resp") => `${kind}_${randomId()}`;
const message = (text: string) => ({ id: text, type: "message", role: "user", content: text }) as const;
const created = { type: "created", owner: OWNER, createdAt: 1, metadata: {}, items: [] } as const;

/**
 * What every store does.
 * @param open opens a place for two gateways
 */
export function responseStoreSuite(
  name: string,
  open: (ttlMs: number) => Promise<readonly [ResponseStore, ResponseStore]>,
): void {
  describe(`responses kept in ${name}`, () => {
    let one: ResponseStore;
    let two: ResponseStore;
    const never = new AbortController().signal;

    beforeAll(async () => {
      [one, two] = await open(TTL_MS);
    });

    afterAll(() => {
      one.close();
      two.close();
    });

    test("are there for every gateway, as they were put last, until they are deleted", async () => {
      const id = newId();
      await one.put(stored(id, "completed", "old"));
      await one.put(stored(id, "completed", "new"));
      expect(await two.get(id)).toEqual(stored(id, "completed", "new"));
      await two.delete(id);
      expect(await one.get(id)).toBeUndefined();
      for (const unknown of [newId(), "../../etc/passwd", "resp_*"])
        expect(await one.get(unknown)).toBeUndefined();
    });

    test("end once, and not after they were deleted", async () => {
      const [id, deleted] = [newId(), newId()];
      for (const each of [id, deleted]) {
        await one.openLog(each, OWNER);
        await one.put(stored(each, "in_progress"));
      }
      const ends = [stored(id, "completed", "é😀".repeat(600_000)), stored(id, "cancelled")];
      const counts = await Promise.all([one, two].map((store, index) => store.settle(ends[index]!)));
      expect(counts.toSorted()).toEqual([false, true]);
      for (const store of [one, two]) {
        expect(await store.get(id)).toEqual(ends[counts.indexOf(true)]);
        expect(await store.settle(stored(id, "failed"))).toBe(false);
        expect(await store.get(id)).toEqual(ends[counts.indexOf(true)]);
      }
      const [settled] = await Promise.all([one.settle(stored(deleted, "completed")), two.delete(deleted)]);
      expect(typeof settled).toBe("boolean");
      for (const store of [one, two]) expect(await store.get(deleted)).toBeUndefined();
      expect(await one.settle(stored(deleted, "completed"))).toBe(false);
      expect(await one.settle(stored(newId(), "completed"))).toBe(false);
      expect(await two.get(deleted)).toBeUndefined();
    });

    test("may be larger than a message", async () => {
      const id = newId();
      const large = stored(id, "completed", "é😀".repeat(600_000));
      await one.put(large);
      expect(await two.get(id)).toEqual(large);
    });

    test("expire", async () => {
      const [brief, other] = await open(1_000);
      const ids = [newId(), newId("conv")] as const;
      await brief.put(stored(ids[0], "completed"));
      await brief.begin(ids[1], created);
      await expect.poll(() => other.get(ids[0])).toBeUndefined();
      await expect.poll(() => other.changes(ids[1])).toBeUndefined();
      expect(await other.change(ids[1], { type: "described", metadata: {} })).toBe(false);
      brief.close();
      other.close();
    });

    test("are followed by every gateway while they are made, from any event on, by their owner", async () => {
      const id = newId();
      await one.put(stored(id, "in_progress"));
      const log = await one.openLog(id, OWNER);
      log.append("a\n");
      const following = collect((await two.follow(id, OWNER, 1, never))!);
      expect(await two.follow(id, "other", 0, never)).toBeUndefined();
      expect(await two.follow(newId(), OWNER, 0, never)).toBeUndefined();
      const large = "x".repeat(2_000_000);
      for (const event of ["b", large, "c"]) log.append(event);
      expect((await two.get(id))?.response.status).toBe("in_progress");
      expect(await one.settle(stored(id, "completed"))).toBe(true);
      await log.end();
      expect(await following).toEqual(["b", large, "c"]);
      expect(await collect((await one.follow(id, OWNER, 3, never))!)).toEqual(["c"]);
      expect((await two.get(id))?.response.status).toBe("completed");
    });

    test("are no longer followed by a client that has left", async () => {
      const id = newId();
      const log = await one.openLog(id, OWNER);
      log.append("a");
      const leaving = new AbortController();
      const seen: string[] = [];
      for await (const event of (await two.follow(id, OWNER, 0, leaving.signal))!) {
        seen.push(event);
        leaving.abort();
      }
      expect(seen).toEqual(["a"]);
      await log.end();
    });

    test("are cancelled by every gateway", async () => {
      const id = newId();
      const log = await one.openLog(id, OWNER);
      const cancelled = new Promise((resolve) => log.cancelled.addEventListener("abort", resolve));
      log.append("a");
      const following = collect((await two.follow(id, OWNER, 0, never))!);
      await two.cancel(id);
      await cancelled;
      log.append("b");
      await log.end();
      expect(await following).toEqual(["a", "b"]);
      await two.cancel(newId());
    });
  });

  describe(`conversations kept in ${name}`, () => {
    let one: ResponseStore;
    let two: ResponseStore;

    beforeAll(async () => {
      [one, two] = await open(TTL_MS);
    });

    afterAll(() => {
      one.close();
      two.close();
    });

    test("have all changes in order, until they are deleted", async () => {
      const id = newId("conv");
      await one.begin(id, { ...created, items: [message("a")] });
      expect(await two.change(id, { type: "added", items: [message("b"), message("c")] })).toBe(true);
      expect(await one.change(id, { type: "removed", id: "b" })).toBe(true);
      expect(await two.change(id, { type: "described", metadata: { a: "1" } })).toBe(true);
      const kept = conversationAfter((await one.changes(id))!);
      expect(kept).toEqual({
        owner: OWNER,
        createdAt: 1,
        metadata: { a: "1" },
        items: [message("a"), message("c")],
      });
      await two.delete(id);
      expect(await one.changes(id)).toBeUndefined();
      expect(await one.change(id, { type: "added", items: [] })).toBe(false);
      expect(await one.changes(newId("conv"))).toBeUndefined();
    });

    test("lose nothing that gateways add at once, however much and however often it is read", async () => {
      const id = newId("conv");
      await one.begin(id, created);
      const texts = Array.from({ length: 100 }, (_, index) =>
        index % 50 === 0 ? `${index}${"é".repeat(600_000)}` : String(index),
      );
      await Promise.all(
        texts.map(async (text, index) => {
          const gateway = index % 2 === 0 ? one : two;
          await gateway.change(id, { type: "added", items: [message(text)] });
          if (index % 25 === 0) await gateway.changes(id);
        }),
      );
      for (const gateway of [one, two, one]) {
        const { items } = conversationAfter((await gateway.changes(id))!)!;
        expect(items.map((item) => item.id.length).sort()).toEqual(texts.map(({ length }) => length).sort());
        expect(new Set(items.map((item) => item.id))).toEqual(new Set(texts));
      }
    });
  });
}

async function collect(events: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const event of events) all.push(event);
  return all;
}
