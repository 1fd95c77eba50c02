import { expect, test } from "vitest";
import { rankEndpoint } from "./endpoint.ts";

test.each([
  ["tcp://127.0.0.1:5557", 0, "tcp://127.0.0.1:5557"],
  ["tcp://127.0.0.1:5557", 3, "tcp://127.0.0.1:5560"],
  ["tcp://*:5557", 1, "tcp://*:5558"],
  ["tcp://[::1]:5557", 1, "tcp://[::1]:5558"],
  ["tcp://127.0.0.1:0", 3, "tcp://127.0.0.1:0"],
])("%s for rank %d is %s", (endpoint, rank, wanted) => {
  expect(rankEndpoint(endpoint, rank)).toBe(wanted);
});

test.each(["127.0.0.1:5557", "tcp://127.0.0.1", "ipc:///tmp/x", "tcp://:1", "tcp://a:b"])(
  "%s is refused",
  (endpoint) => {
    expect(() => rankEndpoint(endpoint, 0)).toThrow("is not tcp://HOST:PORT");
  },
);

test("ports end at 65,535", () => {
  expect(() => rankEndpoint("tcp://127.0.0.1:65535", 1)).toThrow("no port 65536 for rank 1");
});
