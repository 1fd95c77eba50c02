import { expect, test } from "vitest";
import { followKeys } from "./follow-keys.ts";
import { openMemoryDiscovery } from "./memory.ts";
import type { DiscoveryEvent } from "./types.ts";

test("a later snapshot deletes what it lacks, and puts the rest", async () => {
  const discovery = openMemoryDiscovery("memory:keys");
  let send: (event: DiscoveryEvent) => void = () => {};
  const watched = Object.assign(Object.create(discovery), {
    async watch(_prefix: string, listener: typeof send) {
      send = listener;
      return { close: () => {} };
    },
  });
  const log: string[] = [];
  await followKeys(watched, "a/", {
    onPut: (key, value) => log.push(`put ${key} ${value}`),
    onDelete: (key) => log.push(`delete ${key}`),
  });
  const events: DiscoveryEvent[] = [
    {
      type: "snapshot",
      entries: new Map([
        ["a/1", 1],
        ["a/2", 2],
      ]),
    },
    { type: "put", key: "a/3", value: 3 },
    { type: "delete", key: "a/1" },
    {
      type: "snapshot",
      entries: new Map([
        ["a/3", 3],
        ["a/4", 4],
      ]),
    },
  ];
  for (const event of events) send(event);
  expect(log).toEqual([
    "put a/1 1",
    "put a/2 2",
    "put a/3 3",
    "delete a/1",
    "delete a/2",
    "put a/3 3",
    "put a/4 4",
  ]);
  await discovery.close();
});
