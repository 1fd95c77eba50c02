import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { StatorProcess } from "../stator-process.ts";

const folder = mkdtempSync(join(tmpdir(), "stator-plane-options-"));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [["--tls-cert=x.pem"], /--tls-cert needs --tls-key too/],
  [["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"], /\/nowhere.pem cannot be read/],
  [
    ["--listen=unix:/tmp/x.sock", "--tls-cert=a", "--tls-key=b"],
    /A certificate is for a TCP port: --listen tcp:HOST:PORT/,
  ],
  [["--listen=nats:"], /--listen nats: needs a NATS server/],
  [["--listen=unix:/tmp/stator-none.sock", "--advertise=host"], /--advertise is for a TCP port/],
  [["--advertise=a b:c"], /--advertise: .*is not host:port/],
  [["--advertise=a b"], /--advertise: .*is not host:port/],
  [["--advertise=10.0.0.1:0"], /--advertise: .*has port 0/],
  [["--events=zmq"], /--events: write workers, or nats:\/\/HOST:PORT\[\/NAME\] instead of 'zmq'/],
  [["--events=nats://host/a/b"], /--events: .*'a\/b' is not valid/],
  [["--events=nats://host?colour=red"], /--events: .*there is no option 'colour'/],
])("stator worker with %j is refused with what is wrong", async (flags, message) => {
  const worker = new StatorProcess([
    "worker",
    "echo",
    "--config=none",
    `--discovery=file:${folder}/d`,
    ...flags,
  ]);
  expect(await worker.ended()).not.toBe(0);
  expect(worker.stderr).toMatch(message);
});

test.each(["/nowhere.pem", import.meta.filename])("stator gateway refuses --worker-ca=%s", async (ca) => {
  const gateway = new StatorProcess([
    "gateway",
    "--port=0",
    "--config=none",
    `--discovery=file:${folder}/d`,
    `--worker-ca=${ca}`,
  ]);
  expect(await gateway.ended()).toBe(2);
  expect(gateway.stderr).toMatch(/cannot be read \(ENOENT\)|is not a PEM file/);
});

test("a worker's metrics can be read at the address of --ops-host", async () => {
  const worker = new StatorProcess([
    "worker",
    "echo",
    "--config=none",
    `--discovery=file:${folder}/d`,
    "--ops-host=127.0.0.2",
  ]);
  const [, ops] = await worker.printed(/ops=(http:\/\/127\.0\.0\.2:\d+)/);
  expect(await (await fetch(`${ops}/metrics`)).text()).toContain("stator_");
  expect(await worker.stop()).toBe(0);
});
