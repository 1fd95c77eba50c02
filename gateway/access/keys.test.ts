import { describe, expect, test } from "vitest";
import { mayUse } from "./api-key.ts";
import { readKeyFile } from "./key-file.ts";
import { formatHash, hashKey, newKey, newSalt } from "./key-hash.ts";
import { KeyRing } from "./key-ring.ts";

async function entry(id: string, key: string, salt = newSalt()) {
  return { id, hash: formatHash(await hashKey(key, salt)) };
}

describe("a key ring", () => {
  test("finds a key by its text, whichever salt it has", async () => {
    const [one, two] = [newKey(), newKey()];
    const ring = new KeyRing(readKeyFile({ keys: [await entry("one", one), await entry("two", two)] }));
    expect((await ring.find(one, 0))?.id).toBe("one");
    expect((await ring.find(two, 0))?.id).toBe("two");
    expect(await ring.find(newKey(), 0)).toBeUndefined();
    expect(await ring.find("", 0)).toBeUndefined();
    expect(await ring.find("x".repeat(100_000), 0)).toBeUndefined();
  });

  test("accepts a key until it expires, and the previous one until its own end", async () => {
    const [now, before] = [newKey(), newKey()];
    const keys = [
      {
        ...(await entry("one", now)),
        previous_hash: (await entry("one", before)).hash,
        previous_until: "2030-01-01",
        expires: "2031-01-01",
      },
    ];
    const ring = new KeyRing(readKeyFile({ keys }));
    const at = (year: number) => Date.UTC(year, 5);
    const knows = async (key: string, year: number) => (await ring.find(key, at(year))) !== undefined;
    expect([await knows(now, 2029), await knows(before, 2029)]).toEqual([true, true]);
    expect([await knows(now, 2030), await knows(before, 2030)]).toEqual([true, false]);
    expect(await knows(now, 2031)).toBe(false);
  });

  test("keeps a key's rate limit state when its file is reloaded", async () => {
    const file = { keys: [{ ...(await entry("one", "key")), requests_per_minute: 1 }] };
    const ring = new KeyRing(readKeyFile(file));
    const [key] = readKeyFile(file);
    ring.limiterOf(key!)?.takeRequest(performance.now());
    ring.replace(readKeyFile(file));
    expect(ring.limiterOf(key!)?.takeRequest(performance.now())).toBeDefined();
  });
});

describe("a key file", () => {
  const hash = `sha256:00:${"0".repeat(64)}`;
  test.each([
    [
      {
        keys: [
          { id: "a", hash },
          { id: "a", hash },
        ],
      },
      "the id 'a' is used twice",
    ],
    [{ keys: [{ id: "a", hash: "sk-stator-secret" }] }, "key 'a': hash must be sha256:SALT:DIGEST"],
    [{ keys: [{ id: "a", hash, model: ["b"] }] }, "key 'a': unknown field 'model'; did you mean 'models'?"],
    [{ keys: [{ id: "a", hash, expires: "soon" }] }, "key 'a': expires must be a date"],
    [{ keys: [{ hash }] }, "key 1: id"],
    [["a"], "it must have a list under 'keys:'"],
  ])("that is invalid is rejected with the position: %#", (document, message) => {
    expect(() => readKeyFile(document)).toThrow(message);
  });
});

test("a scope consists of names and patterns", () => {
  const scope = (...models: string[]) => ({ ...readKeyFile({ keys: [{ id: "a", hash: ANY, models }] })[0]! });
  expect(mayUse(undefined, ["anything"])).toBe(true);
  expect(mayUse(scope("llama"), ["llama"])).toBe(true);
  expect(mayUse(scope("llama"), ["llama-2"])).toBe(false);
  expect(mayUse(scope("llama-*"), ["llama-2"])).toBe(true);
  expect(mayUse(scope("*-chat"), ["llama-2-chat"])).toBe(true);
  expect(mayUse(scope("org/*/a*b"), ["org/x/aXb"])).toBe(true);
  expect(mayUse(scope("ab*ba"), ["aba"])).toBe(false);
  expect(mayUse(scope("other", "llama"), ["alias", "llama"])).toBe(true);
});

const ANY = `sha256:00:${"0".repeat(64)}`;
