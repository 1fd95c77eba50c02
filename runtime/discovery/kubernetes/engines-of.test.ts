import { expect, it } from "vitest";
import { enginesOfPods, enginesOfSlices } from "./engines-of.ts";

const slice = (name: string, ports: object[], endpoints: object[], addressType = "IPv4") => ({
  metadata: { name },
  addressType,
  ports,
  endpoints,
});
const endpoint = (address: string, conditions: object, pod?: string) => ({
  addresses: [address],
  conditions,
  ...(pod && { targetRef: { kind: "Pod", name: pod } }),
});
const http = { name: "http", port: 8000 };

it("finds the ready, non-terminating engines of a service", () => {
  const slices = [
    slice(
      "one",
      [http],
      [
        endpoint("10.0.0.1", { ready: true }, "vllm-0"),
        endpoint("10.0.0.2", { ready: false }, "vllm-1"),
        endpoint("10.0.0.3", { ready: true, terminating: true }, "vllm-2"),
        endpoint("10.0.0.4", {}),
      ],
    ),
    slice("two", [http], [endpoint("fd00::5", { ready: true }, "vllm-5")], "IPv6"),
    slice("three", [http], [endpoint("vllm.example.com", { ready: true })], "FQDN"),
  ];
  expect(enginesOfSlices(slices, undefined)).toEqual([
    { name: "vllm-0", url: "http://10.0.0.1:8000" },
    { name: "10.0.0.4:8000", url: "http://10.0.0.4:8000" },
    { name: "vllm-5", url: "http://[fd00::5]:8000" },
  ]);
});

it.each([
  [undefined, 8000],
  ["http", 8000],
  ["metrics", 9000],
  ["9000", 9000],
  ["grpc", undefined],
])("takes the port %s", (wanted, port) => {
  const ports = [{ name: "metrics", port: 9000 }, http];
  const [engine] = enginesOfSlices([slice("s", ports, [endpoint("10.0.0.1", {})])], wanted);
  expect(engine?.url).toBe(port && `http://10.0.0.1:${port}`);
});

it("takes a port by number from a headless service without ports", () => {
  const slices = [slice("s", [], [endpoint("10.0.0.1", {}, "vllm-0")])];
  expect(enginesOfSlices(slices, "7000")).toEqual([{ name: "vllm-0", url: "http://10.0.0.1:7000" }]);
  expect(enginesOfSlices(slices, "http")).toEqual([]);
});

it("counts a pod in several slices once, by its IPv4 address", () => {
  const six = slice("a", [http], [endpoint("fd00::1", { ready: true }, "vllm-0")], "IPv6");
  const four = slice("b", [http], [endpoint("10.0.0.1", { ready: true }, "vllm-0")]);
  const moved = slice("c", [http], [endpoint("10.0.0.1", { ready: false }, "vllm-0")]);
  expect(enginesOfSlices([six, four, moved], undefined)).toEqual([
    { name: "vllm-0", url: "http://10.0.0.1:8000" },
  ]);
});

it("reports the existing ports if none matches", () => {
  const told: string[] = [];
  const ports = [{ name: "metrics", port: 9000 }, http];
  const ready = endpoint("10.0.0.1", { ready: true });
  enginesOfSlices([slice("a", ports, [ready, ready])], "80", (text) => told.push(text));
  enginesOfSlices([slice("a", ports, [])], "80", (text) => told.push(text));
  const portless = { ...pod("well", {}), spec: { containers: [{}] } };
  enginesOfPods([portless], undefined, (text) => told.push(text));
  expect(told).toEqual(["9000 (metrics), 8000 (http)", "none"]);
});

const pod = (name: string, status: object, more: object = {}) => ({
  metadata: { name, ...more },
  spec: { containers: [{ ports: [{ name: "http", containerPort: 8000 }] }, {}] },
  status: { phase: "Running", podIP: "10.1.0.1", conditions: [{ type: "Ready", status: "True" }], ...status },
});

it("finds the engines in ready, non-terminating pods", () => {
  const pods = [
    pod("well", {}),
    pod("starts", { phase: "Pending" }),
    pod("ill", { conditions: [{ type: "Ready", status: "False" }] }),
    pod("goes", {}, { deletionTimestamp: "2026-11-26T00:00:00Z" }),
    pod("nowhere", { podIP: "" }),
  ];
  expect(enginesOfPods(pods, undefined)).toEqual([{ name: "well", url: "http://10.1.0.1:8000" }]);
  expect(enginesOfPods([pod("well", {})], "8080")[0]?.url).toBe("http://10.1.0.1:8080");
});

it("reads annotations, and ignores invalid ones", () => {
  const annotations = {
    "stator.dev/tags": "gpu=h100, zone=a,nonsense",
    "stator.dev/block-size": "32",
    "stator.dev/kv-events": "tcp://*:5557",
    "stator.dev/kv-events-replay": "tcp://*:5657",
  };
  expect(enginesOfPods([pod("well", {}, { annotations })], undefined)).toMatchObject([
    {
      tags: ["gpu=h100", "zone=a"],
      blockSize: 32,
      kvEvents: { endpoint: "tcp://*:5557", replayEndpoint: "tcp://*:5657" },
    },
  ]);
  const wrong = { "stator.dev/block-size": "many", "stator.dev/kv-events": "5557" };
  expect(enginesOfPods([pod("well", {}, { annotations: wrong })], undefined)).toEqual([
    { name: "well", url: "http://10.1.0.1:8000" },
  ]);
});

it("ignores objects of another kind", () => {
  expect(enginesOfSlices([{ metadata: { name: "x" }, endpoints: "none" } as never], undefined)).toEqual([]);
  expect(enginesOfPods([{ metadata: { name: "x" } }], undefined)).toEqual([]);
});
