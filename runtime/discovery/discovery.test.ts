import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../scripts/testing/temporary-folder.ts";
import { randomId } from "../ids.ts";
import { discoverySuite } from "./common-suite.ts";
import { encodeKey, parseEntryName } from "./file-names.ts";
import { forgetMemoryLease } from "./memory.ts";
import { openDiscovery } from "./open.ts";
import { isProcessAlive, processStart } from "./process-identity.ts";
import { watchLog } from "./testing.ts";
import type { Discovery } from "./types.ts";

const root = temporaryFolder();

discoverySuite("memory", () => {
  const name = randomId();
  return {
    open: () => openDiscovery(`memory:${name}`),
    forget: async (leaseId) => forgetMemoryLease(name, leaseId),
  };
});

discoverySuite("file", () => {
  const directory = join(root, randomId());
  return {
    open: () => openDiscovery(`file:${directory}`),
    erase: async (key) => {
      for (const name of readdirSync(join(directory, "entries")))
        if (parseEntryName(name)?.encodedKey === encodeKey(key))
          await unlink(join(directory, "entries", name));
    },
    forget: (leaseId) => unlink(join(directory, "leases", leaseId)),
  };
});

describe("discovery URLs", () => {
  test("that no backend supports are refused with a list of those that exist", async () => {
    for (const url of ["zookeeper:host", "memory:", "file", "", "constructor:x"]) {
      await expect(openDiscovery(url)).rejects.toThrow(
        /: write file:… or etcd:… or nats:… or kubernetes:…\.$/,
      );
    }
  });

  test.runIf(process.platform === "linux")("of a directory that cannot be created are refused", async () => {
    for (const directory of ["/proc/none", "/proc/none/below"])
      await expect(openDiscovery(`file:${directory}`)).rejects.toThrow(
        /could not create the directory: ENOENT.*\/proc\/none/,
      );
  });

  test("can contain a full file path", async () => {
    const directory = join(root, randomId());
    const discovery = await openDiscovery(`file://${directory}`);
    await discovery.close();
    expect(existsSync(join(directory, "entries"))).toBe(true);
  });
});

/** Files and folders that this process watches for changes. */
const watchedFiles = () =>
  readdirSync("/proc/self/fdinfo").reduce((sum, fd) => {
    // The folder's own descriptor is gone by the time it is read.
    const path = join("/proc/self/fdinfo", fd);
    const info = existsSync(path) ? readFileSync(path, "utf8") : "";
    return sum + (info.match(/^inotify wd/gm)?.length ?? 0);
  }, 0);

test.runIf(process.platform === "linux")(
  "a watch on a file store that cannot be read leaves nothing behind",
  async () => {
    const directory = join(root, randomId());
    const discovery = await openDiscovery(`file:${directory}`);
    rmSync(join(directory, "leases"), { recursive: true });
    writeFileSync(join(directory, "leases"), "no folder");
    const before = watchedFiles();
    await expect(discovery.watch("", () => {})).rejects.toThrow();
    expect(watchedFiles()).toBe(before);
    await discovery.close();
  },
);

describe("file discovery between processes", () => {
  const script = fileURLToPath(new URL("testing-holder.ts", import.meta.url));
  const children: ChildProcess[] = [];
  const opened: Discovery[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    for (const discovery of opened.splice(0)) await discovery.close();
  });

  async function open(directory: string) {
    const discovery = await openDiscovery(`file:${directory}`);
    opened.push(discovery);
    return discovery;
  }

  async function hold(directory: string, key: string, ttlMs: number, count = 1) {
    const args = [script, directory, key, String(ttlMs), String(count)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    const ready = once(child.stdout, "data").then(([line]) => String(line).trim());
    return { child, ready };
  }

  test("the entries of a killed holder disappear long before its lease expires, with their files", async () => {
    const directory = join(root, randomId());
    const log = await watchLog(await open(directory), "");
    const { child, ready } = await hold(directory, "workers/1", 3_600_000);
    const leaseId = await ready;
    await log.until((entries) => entries.has("workers/1"));
    child.kill("SIGKILL");
    await log.until((entries) => entries.size === 0);
    expect(readdirSync(join(directory, "entries"))).toEqual([]);
    expect(existsSync(join(directory, "leases", leaseId))).toBe(false);
  });

  test("a later reader does not see dead entries either", async () => {
    const directory = join(root, randomId());
    const { child, ready } = await hold(directory, "workers/1", 3_600_000);
    await ready;
    child.kill("SIGKILL");
    await once(child, "exit");
    expect((await (await open(directory)).get("")).size).toBe(0);
    expect(readdirSync(join(directory, "leases"))).toEqual([]);
  });

  test("a suspended holder's entries disappear when its lease expires, and return when it resumes", async () => {
    const directory = join(root, randomId());
    const log = await watchLog(await open(directory), "");
    const { child, ready } = await hold(directory, "workers/1", 300);
    await ready;
    await log.until((entries) => entries.has("workers/1"));
    child.kill("SIGSTOP");
    await log.until((entries) => entries.size === 0);
    child.kill("SIGCONT");
    await log.until((entries) => entries.has("workers/1"));
  });

  test("entries of concurrent processes are all visible, and those of killed ones are removed", async () => {
    const directory = join(root, randomId());
    const log = await watchLog(await open(directory), "");
    const holders = await Promise.all(["a", "b", "c"].map((key) => hold(directory, key, 3_600_000, 50)));
    await log.until((entries) => entries.size === 3 && [...entries.values()].every((value) => value === 49));
    for (const { child } of holders) child.kill("SIGKILL");
    await log.until((entries) => entries.size === 0);
    expect(readdirSync(join(directory, "tmp"))).toEqual([]);
  });

  test("a holder killed in the middle of its puts leaves whole entries or none", async () => {
    const directory = join(root, randomId());
    const log = await watchLog(await open(directory), "");
    const { child } = await hold(directory, "busy", 3_600_000, 1_000_000);
    await log.until((entries) => Number(entries.get("busy")) > 20);
    child.kill("SIGKILL");
    await log.until((entries) => entries.size === 0);
    for (const event of log.events) if (event.type === "put") expect(typeof event.value).toBe("number");
  });

  test("a reused process id does not count as the holder", () => {
    const start = processStart(process.pid);
    expect(isProcessAlive(process.pid, start)).toBe(true);
    if (start === undefined) return;
    expect(isProcessAlive(process.pid, String(Number(start) - 1))).toBe(false);
  });

  /** The lease and entry of a holder on another machine, whose process id means nothing here. */
  function remoteLease(directory: string, key: string, ttlMs: number) {
    const id = randomId();
    const lease = join(directory, "leases", id);
    writeFileSync(lease, JSON.stringify({ host: "elsewhere", pid: 1, ttlMs }));
    writeFileSync(join(directory, "entries", `${key}@${id}`), JSON.stringify({ key, written: 1, value: 1 }));
    return lease;
  }

  test("a lease from another machine expires without heartbeats", async () => {
    const directory = join(root, randomId());
    const discovery = await open(directory);
    const lease = remoteLease(directory, "far", 300);
    // Its TTL starts when it is first seen.
    utimesSync(lease, 4_000_000_000, 4_000_000_000);
    const log = await watchLog(discovery, "");
    expect(log.events[0]).toMatchObject({ type: "snapshot", entries: new Map([["far", 1]]) });
    await log.until((entries) => entries.size === 0);
    expect(existsSync(lease)).toBe(false);
  });

  test("a lease from a machine with a wrong clock is doubtful until its next heartbeat", async () => {
    const directory = join(root, randomId());
    const discovery = await open(directory);
    const lease = remoteLease(directory, "far", 3_600_000);
    utimesSync(lease, 1_000, 1_000);
    const log = await watchLog(discovery, "");
    expect(log.entries.size).toBe(0);
    expect(existsSync(lease)).toBe(true);
    utimesSync(lease, 2_000, 2_000);
    expect((await discovery.get("")).size).toBe(1);
    await log.until((entries) => entries.size === 1);
  });

  test("half-written and unrelated files are ignored and not removed", async () => {
    const directory = join(root, randomId());
    const discovery = await open(directory);
    await discovery.put("good", 1);
    const good = readFileSync(join(directory, "entries", "good@-"), "utf8");
    const files: [string, string][] = [
      ["half@-", good.slice(0, 10)],
      ["empty@-", ""],
      ["other@-", good],
      ["list@-", "[]"],
      ["README", "hello"],
      [".hidden", "x"],
    ];
    for (const [name, content] of files) writeFileSync(join(directory, "entries", name), content);
    mkdirSync(join(directory, "entries", "folder@-"));
    writeFileSync(join(directory, "leases", "notes.txt"), "not a lease");
    const log = await watchLog(discovery, "");
    expect(log.entries).toEqual(new Map([["good", 1]]));
    await discovery.put("more", 2);
    await log.until((entries) => entries.get("more") === 2);
    expect(readdirSync(join(directory, "entries"))).toEqual(
      expect.arrayContaining(files.map(([name]) => name)),
    );
  });

  test("a removed directory is recreated by the next put and by leases", async () => {
    const directory = join(root, randomId());
    const discovery = await open(directory);
    await discovery.put("leased", 1, await discovery.lease({ ttlMs: 2_000 }));
    const log = await watchLog(discovery, "");
    rmSync(directory, { recursive: true });
    await log.until((entries) => entries.size === 0);
    await discovery.put("b", 2);
    await log.until((entries) => entries.get("b") === 2 && entries.get("leased") === 1);
  });
});
