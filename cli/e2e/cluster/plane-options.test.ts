import { expect, test } from "vitest";
import { temporaryFolder } from "../../../scripts/testing/temporary-folder.ts";
import { refusalOf } from "../refusal.ts";
import { StatorProcess } from "../stator-process.ts";

const folder = temporaryFolder();

test.each([
  [["--tls-cert=x.pem"], /--tls-cert needs --tls-key too/],
  [["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"], /\/nowhere.pem cannot be read/],
  [
    ["--listen=unix:/tmp/x.sock", "--tls-cert=a", "--tls-key=b"],
    /A certificate is for a TCP port: --listen tcp:HOST:PORT/,
  ],
  [["--listen=nats:"], /--listen nats: needs a NATS server/],
  [["--listen=unix:/tmp/stator-none.sock", "--advertise=host"], /--advertise is for a TCP port/],
  [["--listen=foo"], /^--listen: "foo" is not an address: write unix:/],
  [["--listen=foo", "--advertise=host"], /^--listen: "foo" is not an address/],
  [["--advertise=a b:c"], /--advertise: .*is not host:port/],
  [["--advertise=a b"], /--advertise: .*is not host:port/],
  [["--advertise=10.0.0.1:0"], /--advertise: .*has port 0/],
  [["--events=zmq"], /--events: write workers, nats: or nats:\/\/HOST:PORT\[\/NAME\] instead of 'zmq'/],
  [["--events=nats:"], /--events nats: needs NATS servers: give --nats/],
  [["--events=nats://host/a/b"], /--events: .*'a\/b' is not valid/],
  [["--events=nats://host?colour=red"], /--events: .*there is no option 'colour'/],
])("stator worker with %j is refused with what is wrong", async (flags, message) => {
  const { code, stderr } = await refusalOf(
    "worker",
    "echo",
    "--config=none",
    `--discovery=file:${folder}/d`,
    ...flags,
  );
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test.each([
  [["--peer-listen=foo"], /^--peer-listen: "foo" is not an address: write unix:/],
  [["--peer-listen=tcp:a:99999"], /^--peer-listen: "tcp:a:99999" is not host:port/],
  [["--peer-advertise=a b"], /^--peer-advertise: .*is not host:port/],
])("stator gateway with %j is refused with what is wrong", async (flags, message) => {
  const { code, stderr } = await refusalOf(
    "gateway",
    "--config=none",
    `--discovery=file:${folder}/d`,
    ...flags,
  );
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test.each([
  ["worker", ["mockr", "--discovery=file:/tmp"], /^There is no engine 'mockr'. Did you mean 'mocker'\?/],
  ["worker", ["./nowhere.ts", "--discovery=file:/tmp"], /^There is no worker module .*nowhere\.ts/],
  ["up", ["--engine=nope", "--port=0"], /^--engine: There is no engine 'nope'/],
  [
    "up",
    ["--events=nats:", "--port=0"],
    /^--events nats: needs NATS servers: give --cluster, or --events nats:\/\/HOST/,
  ],
  [
    "up",
    ["--cluster", "--port=65535"],
    /^--cluster also takes the port after --port.* Choose another: --port 8000\.$/,
  ],
  [
    "up",
    ["--cluster", "--port=8000", "--admin-port=8001"],
    /8001 is too near to 8000\. Choose --admin-port 8002\.$/,
  ],
])("stator %s %j is wrong usage", async (command, args, message) => {
  const { code, stderr } = await refusalOf(command, "--config=none", ...args);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test.each([
  [["--listen=tcp:0.0.0.0:0"], /address=tcp:[\d.]+:[1-9]\d*/],
  [["--advertise=some-host"], /address=tcp:some-host:[1-9]\d*/],
])("a worker with %j advertises the port that it was given", async (flags, address) => {
  const places = ["--config=none", `--discovery=file:${folder}/d`];
  const worker = new StatorProcess(["worker", "echo", ...places, ...flags]);
  await worker.printed(address);
  expect(await worker.stop()).toBe(0);
});

test.each(["/nowhere.pem", import.meta.filename])("stator gateway refuses --worker-ca=%s", async (ca) => {
  const { code, stderr } = await refusalOf(
    "gateway",
    "--port=0",
    "--config=none",
    `--discovery=file:${folder}/d`,
    `--worker-ca=${ca}`,
  );
  expect(code).toBe(2);
  expect(stderr).toMatch(/cannot be read \(ENOENT\)|is not a PEM file/);
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
