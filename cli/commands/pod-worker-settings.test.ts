import { hostname } from "node:os";
import { expect, it } from "vitest";
import { readOptions } from "../options/read.ts";
import { workerOptions } from "../options/tables.ts";
import { workerPlace } from "./plane-settings.ts";
import { workerPlaces } from "./worker-options.ts";

const optionsOf = (...flags: string[]) =>
  readOptions(workerOptions, ["echo", "--config=none", "--discovery=kubernetes:", ...flags], {}).options;

it("a worker in a pod listens on port 7000 of every address, and has the pod's name", async () => {
  expect(await workerPlace(optionsOf())).toMatchObject({ listen: "tcp:0.0.0.0:7000" });
  expect(workerPlaces("echo", optionsOf())).toMatchObject([{ name: hostname() }]);
});

it("flags set another address and another name", async () => {
  const options = optionsOf("--listen=tcp:[::]:7100", "--name=one");
  expect(await workerPlace(options)).toMatchObject({ listen: "tcp:[::]:7100" });
  expect(workerPlaces("echo", options)).toMatchObject([{ name: "one" }]);
});

it("a certificate encrypts that port", async () => {
  const options = optionsOf("--tls-cert=cert.pem", "--tls-key=key.pem");
  expect(await workerPlace(options)).toMatchObject({ listen: "tls:0.0.0.0:7000" });
});
