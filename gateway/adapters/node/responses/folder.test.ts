import { appendFile, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../../scripts/testing/temporary-folder.ts";
import { conversationAfter } from "../../../api/conversations/changes.ts";
import { responseStoreSuite } from "../../../api/responses/store.suite.ts";
import { ResponsesFolder } from "./folder.ts";
import { openResponses } from "./index.ts";
import { Sweeper } from "./sweep.ts";

const HOUR_MS = 3_600_000;
const ID = "conv_0000000000000001";
const created = { type: "created", owner: "", createdAt: 1, metadata: {}, items: [] } as const;

responseStoreSuite("a folder", async (ttlMs) => {
  const folder = temporaryFolder();
  return [new ResponsesFolder(folder, ttlMs), new ResponsesFolder(folder, ttlMs)];
});

test("a gateway that is killed while it writes spoils no other change", async () => {
  const folder = temporaryFolder();
  const store = new ResponsesFolder(folder, HOUR_MS);
  await store.begin(ID, created);
  await appendFile(join(folder, `${ID}.changes`), '\n{"type":"described","meta');
  await store.change(ID, { type: "described", metadata: { a: "1" } });
  expect(conversationAfter((await store.changes(ID))!)).toMatchObject({ metadata: { a: "1" } });
});

test("the events of a gateway that was killed end with an error", async () => {
  const folder = temporaryFolder();
  const id = "resp_0000000000000001";
  const log = await new ResponsesFolder(folder, HOUR_MS).openLog(id, "");
  log.append("a");
  const other = new ResponsesFolder(folder, HOUR_MS);
  const follow = () => other.follow(id, "", 0, new AbortController().signal);
  const events = (await follow())![Symbol.asyncIterator]();
  expect(await events.next()).toEqual({ done: false, value: "a" });
  const old = Date.now() / 1000 - 60;
  await utimes(join(folder, `${id}.events`), old, old);
  await expect(events.next()).rejects.toMatchObject({ status: 503, code: "server_error" });
  await log.end();
  const again = (await follow())![Symbol.asyncIterator]();
  expect([(await again.next()).value, (await again.next()).done]).toEqual(["a", true]);
});

test("of the gateways that share a folder, one an hour removes what has expired", async () => {
  const folder = temporaryFolder();
  await new Sweeper(folder, HOUR_MS).sweep();
  await new ResponsesFolder(folder, HOUR_MS).begin(ID, created);
  const file = `${ID}.changes`;
  const old = Date.now() / 1000 - 3 * 3600;
  await utimes(join(folder, file), old, old);
  await new Sweeper(folder, HOUR_MS).sweep();
  expect(await readdir(folder)).toContain(file);
  await Promise.all([1, 2].map(() => new Sweeper(folder, HOUR_MS).sweep(Date.now() + HOUR_MS)));
  expect(await readdir(folder)).not.toContain(file);
});

test("a conversation that has expired is not changed, even before it is removed", async () => {
  const folder = temporaryFolder();
  const store = new ResponsesFolder(folder, HOUR_MS);
  await store.begin(ID, created);
  const old = Date.now() / 1000 - 2 * 3600;
  await utimes(join(folder, `${ID}.changes`), old, old);
  expect([await store.change(ID, created), await store.changes(ID)]).toEqual([false, undefined]);
});

test("a folder is made when it is opened, and nothing stays in it", async () => {
  const folder = join(temporaryFolder(), "some", "responses");
  await openResponses(`file:${folder}`, HOUR_MS);
  expect(await readdir(folder)).toEqual([]);
});

test("a place where no file can be written is refused when it is opened", async () => {
  const file = join(temporaryFolder(), "file");
  await writeFile(file, "");
  for (const place of [file, join(file, "folder"), "/proc/stator"])
    await expect(openResponses(`file:${place}`, HOUR_MS)).rejects.toThrow(
      `Responses cannot be kept where --responses-store says: ${place} is no folder that this process can write to`,
    );
});
