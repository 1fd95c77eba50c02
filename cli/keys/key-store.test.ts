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

test("concurrent changes are all kept", async () => {
  const names = Array.from({ length: 8 }, (_, index) => `key-${index}`);
  const made = await Promise.all(names.map(add));
  expect(new Set(made).size).toBe(8);
  expect((await ids()).sort()).toEqual(names);
  expect(await readdir(folder)).toEqual(["keys.yaml"]);
});

test("a failed change leaves the file unchanged and does not block the next one", async () => {
  await add("one");
  await expect(add("one")).rejects.toThrow(UsageError);
  await KeyStore.change(file, (store) => store.revoke("one"));
  expect(await ids()).toEqual([]);
});

test("the lock of a dead process is taken over", async () => {
  await writeFile(`${file}.lock`, "999999999");
  await add("one");
  expect(await ids()).toEqual(["one"]);
});

test("an unwritable folder is named in the error", async () => {
  file = join(folder, "nowhere", "keys.yaml");
  await expect(add("one")).rejects.toThrow(/keys.yaml cannot be written \(ENOENT\)/);
});
