import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UsageError } from "../options/read.ts";
import { KeyStore } from "./key-store.ts";

let folder = "";
let file = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stator-keys-"));
  file = join(folder, "keys.yaml");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const ids = async () => (await KeyStore.open(file)).list().map(({ id }) => id);
const add = (id: string) => KeyStore.change(file, (store) => store.add({ id }), true);

test("changes at the same time lose nothing", async () => {
  const names = Array.from({ length: 8 }, (_, index) => `key-${index}`);
  const made = await Promise.all(names.map(add));
  expect(new Set(made).size).toBe(8);
  expect((await ids()).sort()).toEqual(names);
  expect(await readdir(folder)).toEqual(["keys.yaml"]);
});

test("a change that fails leaves the file as it was, and the next one is not held up", async () => {
  await add("one");
  await expect(add("one")).rejects.toThrow(UsageError);
  await KeyStore.change(file, (store) => store.revoke("one"));
  expect(await ids()).toEqual([]);
});

test("a lock that a dead process has left does not count", async () => {
  await writeFile(`${file}.lock`, "999999999");
  await add("one");
  expect(await ids()).toEqual(["one"]);
});

test("a folder that cannot be written to is named", async () => {
  file = join(folder, "nowhere", "keys.yaml");
  await expect(add("one")).rejects.toThrow(/keys.yaml cannot be written \(ENOENT\)/);
});
