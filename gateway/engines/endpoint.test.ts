import { expect, test } from "vitest";
import { reachableEndpoint } from "./endpoint.ts";

test.each([
  ["tcp://*:5557", "http://10.0.0.7:8000", "tcp://10.0.0.7:5557"],
  ["tcp://0.0.0.0:5557", "https://engine.example", "tcp://engine.example:5557"],
  ["tcp://[::]:5557", "http://[fd00::1]:8000", "tcp://[fd00::1]:5557"],
  ["tcp://127.0.0.1:5557", "http://10.0.0.7:8000", "tcp://10.0.0.7:5557"],
  ["tcp://other.example:5557", "http://10.0.0.7:8000", "tcp://other.example:5557"],
  ["ipc:///tmp/events", "http://10.0.0.7:8000", undefined],
  ["tcp://*", "http://10.0.0.7:8000", undefined],
  [null, "http://10.0.0.7:8000", undefined],
])("%s of the engine at %s is reached at %s", (endpoint, url, wanted) => {
  expect(reachableEndpoint(endpoint, url)).toBe(wanted);
});
