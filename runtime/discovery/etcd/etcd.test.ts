import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { makeAuthority, makeCertificate } from "../../../scripts/testing/certificates.ts";
import { randomId } from "../../ids.ts";
import { discoverySuite } from "../common-suite.ts";
import { openDiscovery } from "../open.ts";
import { openPair } from "../test-pair.ts";
import { watchLog } from "../testing.ts";
import type { StoreState } from "../types.ts";
import { etcdctl, hasEtcd, startEtcd } from "./test-etcd.ts";

describe.runIf(hasEtcd)("with a real etcd", async () => {
  const shared = hasEtcd ? await startEtcd() : undefined;
  afterAll(() => shared?.[Symbol.asyncDispose]());

  discoverySuite("etcd", () => {
    const prefix = randomId();
    const url = `etcd://${shared!.host}/${prefix}`;
    return {
      erase: async (key) => {
        await etcdctl(shared!, "del", `/${prefix}/${key}`);
      },
      open: () => openDiscovery(url),
      forget: async (leaseId) => {
        await etcdctl(shared!, "lease", "revoke", leaseId);
      },
    };
  });

  /** A separate etcd, with a writer and a reader. */
  const pair = () => openPair(startEtcd, (host) => `etcd://${host}`);

  test("an etcd that lost its data gets all entries again", async () => {
    await using both = await pair();
    const { server: etcd, writer, reader } = both;
    for (let count = 0; count < 20; count++) await writer.put("history", count);
    await writer.put("worker", 1, await writer.lease({ ttlMs: 2_000 }));
    const log = await watchLog(reader, "");
    await etcd.kill();
    etcd.loseData();
    await etcd.resume();
    await log.until((entries) => entries.size === 1 && entries.get("worker") === 1);
    await writer.put("new", 1);
    await log.until((entries) => entries.get("new") === 1);
  });

  test("a watch resumes after the revisions it missed were compacted", async () => {
    await using both = await pair();
    const { server: etcd, writer, reader } = both;
    await writer.put("gone", 1);
    const log = await watchLog(reader, "");
    await etcd.kill();
    await etcd.resume();
    const status = JSON.parse(await etcdctl(etcd, "endpoint", "status", "-w", "json"));
    await etcdctl(etcd, "del", "/stator/gone");
    await etcdctl(etcd, "put", "/stator/new", "1");
    await etcdctl(etcd, "compact", String(status[0].Status.header.revision + 2));
    await log.until((entries) => entries.get("new") === 1 && entries.size === 1);
    await writer.put("later", 1);
    await log.until((entries) => entries.has("later"));
  });

  test("other programs' values that are not JSON are reported once and skipped", async () => {
    await using both = await pair();
    const { server: etcd, writer, reader, errors } = both;
    await etcdctl(etcd, "put", "/stator/foreign", "<xml>");
    const log = await watchLog(reader, "");
    await writer.put("good", 1);
    await log.until((entries) => entries.has("good"));
    await reader.get("");
    await reader.get("");
    expect(log.entries.has("foreign")).toBe(false);
    expect(errors).toEqual(['The value of "foreign" is not JSON, and was skipped.']);
    await etcdctl(etcd, "put", "/stator/foreign", "2");
    await log.until((entries) => entries.get("foreign") === 2);
  });

  test("works while some members are down", async () => {
    const url = `etcd://127.0.0.1:1,${shared!.host},127.0.0.1:2/${randomId()}`;
    const states: StoreState[] = [];
    const discovery = await openDiscovery(url, { onState: (state) => states.push(state) });
    const log = await watchLog(discovery, "");
    const lease = await discovery.lease({ ttlMs: 200 });
    for (let count = 0; count < 10; count++) await discovery.put("a", count, lease);
    await log.until((entries) => entries.get("a") === 9);
    // Some twenty renewals.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(states).toEqual([]);
    await discovery.close();
  });

  test("TLS with client certificates works, and errors name what is wrong with them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "stator-etcd-tls-"));
    const [authority, stranger] = [
      await makeAuthority(folder, "authority"),
      await makeAuthority(folder, "stranger"),
    ];
    const [server, client] = [
      await makeCertificate(folder, "server", authority),
      await makeCertificate(folder, "client", authority),
    ];
    await using etcd = await startEtcd({ tls: { ...server, clientCa: authority.cert } });
    const url = `etcd://${etcd.host}/${randomId()}`;
    const known = `ca=${authority.cert}&cert=${client.cert}&key=${client.key}`;
    const discovery = await openDiscovery(`${url}?${known}`);
    await discovery.put("a", 1);
    expect(await discovery.get("")).toEqual(new Map([["a", 1]]));
    await discovery.close();
    // Node warns once in a process.
    const module = JSON.stringify(new URL("../open.ts", import.meta.url).href);
    const script = `import { openDiscovery } from ${module};
      await (await openDiscovery(${JSON.stringify(`${url}?${known}`)})).close();`;
    const started = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(started.stderr).toBe("");
    await Promise.all([
      expect(
        openDiscovery(`${url}?ca=${stranger.cert}&cert=${client.cert}&key=${client.key}`),
      ).rejects.toThrow(/unable to verify|self.signed/),
      expect(openDiscovery(`${url}?ca=${authority.cert}`)).rejects.toThrow(
        /: the server requires a client certificate: add \?cert=FILE&key=FILE to the URL$/,
      ),
      expect(openDiscovery(url)).rejects.toThrow(/: the server requires TLS: add \?ca=FILE/),
      expect(openDiscovery(`etcd://${shared!.host}?ca=${authority.cert}`)).rejects.toThrow(
        /: the server does not speak TLS at this port/,
      ),
      expect(
        openDiscovery(`${url}?ca=${authority.cert}&cert=${client.cert}&key=${server.key}`),
      ).rejects.toThrow(`its 'cert' ${client.cert} and its 'key' ${server.key} do not belong together`),
    ]);
    rmSync(folder, { recursive: true });
  });
});

test.each([
  ["etcd:host", /it has no host/],
  ["etcd://host:70000", /'host:70000' is not HOST or HOST:PORT/],
  ["etcd://host,,other", /'' is not HOST/],
  ["etcd://user@host", /a user needs a password/],
  ["etcd://host?colour=red", /there is no option 'colour'/],
  ["etcd://host?cert=/a", /'cert' and 'key' must be given together/],
  ["etcd://host?ca=/no/such.pem", /its 'ca' cannot be read/],
  ["etcd://host/%zz", /an invalid percent encoding/],
])("the URL %s is rejected with the reason and the correct form", async (url, reason) => {
  const opening = openDiscovery(url);
  await expect(opening).rejects.toMatchObject({ code: "bad_url" });
  await expect(opening).rejects.toThrow(reason);
  await expect(opening).rejects.toThrow("Write etcd://[USER:PASSWORD@]HOST[:PORT]");
});
