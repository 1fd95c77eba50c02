import { describe, expect, test } from "vitest";
import { EncoderTable, type SharedWork } from "./encoder-table.ts";

/** Work that ends when the test says so. */
function work(): SharedWork<string> & { end(result: string): Promise<void>; fail(): Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => {});
  const settled = () =>
    promise.then(
      () => {},
      () => {},
    );
  return {
    result: promise,
    join() {},
    leave() {},
    end(result) {
      resolve(result);
      return settled();
    },
    fail() {
      reject(new Error("failed"));
      return settled();
    },
  };
}

describe("a model's encoders", () => {
  test("are asked for a medium once: while it is encoded, and after it", async () => {
    const table = new EncoderTable<string>();
    const one = work();
    table.begin("cat", "e0", 64, one);
    expect(table.pending("cat")).toBe(one);
    expect(table.known("cat", performance.now())).toBeUndefined();
    await one.end("encoded");
    expect(table.pending("cat")).toBeUndefined();
    expect(table.known("cat", performance.now())).toBe("encoded");
    expect(table.holderOf("cat")).toBe("e0");
    table.forget(["cat"]);
    expect(table.known("cat", performance.now())).toBeUndefined();
  });

  test("have work to do for one request, which is not remembered", async () => {
    const table = new EncoderTable<string>();
    const one = work();
    table.book("e0", 64, one.result);
    expect([table.loadOf("e0"), table.choose("cat", ["e0", "e1"])]).toEqual([64, "e1"]);
    await one.end("encoded");
    expect([table.loadOf("e0"), table.known("cat", performance.now())]).toEqual([0, undefined]);
  });

  test("that fail are asked again", async () => {
    const table = new EncoderTable<string>();
    const one = work();
    table.begin("cat", "e0", 64, one);
    await one.fail();
    expect(table.pending("cat")).toBeUndefined();
    expect(table.known("cat", performance.now())).toBeUndefined();
    expect(table.loadOf("e0")).toBe(0);
  });

  test("do not know what they encoded long ago, or before they left", async () => {
    const table = new EncoderTable<string>();
    for (const [id, encoder] of [
      ["cat", "e0"],
      ["dog", "e1"],
    ] as const) {
      const each = work();
      table.begin(id, encoder, 1, each);
      await each.end(id);
    }
    table.forgetEncoder("e1");
    expect(table.known("dog", performance.now())).toBeUndefined();
    expect(table.known("cat", performance.now() + 3_600_000)).toBeUndefined();
  });

  test("share the work by what each has to do, and a medium goes to the same one if they are equal", async () => {
    const table = new EncoderTable<string>();
    const names = ["e0", "e1", "e2"];
    const first = table.choose("cat", names);
    expect(table.choose("cat", names)).toBe(first);
    expect(new Set(Array.from({ length: 50 }, (_, index) => table.choose(`cat ${index}`, names))).size).toBe(
      3,
    );
    const one = work();
    table.begin("cat", first, 100, one);
    const second = table.choose("cat", names);
    expect(second).not.toBe(first);
    table.begin("dog", second, 10, work());
    expect(table.loadOf(first)).toBe(100);
    await one.end("encoded");
    expect(table.loadOf(first)).toBe(0);
  });
});
