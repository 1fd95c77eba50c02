import { expect, test } from "vitest";
import { meanOf, samplesOf, sumOf } from "./prometheus.ts";

const text = `# HELP vllm:num_requests_running Number of requests.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a"} 2.0
vllm:num_requests_running{engine="1",model_name="a"} 4.0 1700000000000
vllm:num_requests_running_by_reason{reason="x"} 100
not vllm:num_requests_running 100
process_start_time_seconds 1.7e+09
limit +Inf
nothing NaN
cut{a="b
odd{path="C:\\\\x",say="\\"}, \\n",} -1
last 5`;

test("only samples with exactly the metric's name are read, with their labels", () => {
  expect(samplesOf(text, "vllm:num_requests_running")).toEqual([
    { labels: { engine: "0", model_name: "a" }, value: 2 },
    { labels: { engine: "1", model_name: "a" }, value: 4 },
  ]);
  expect(samplesOf(text, "odd")).toEqual([{ labels: { path: "C:\\x", say: '"}, \n' }, value: -1 }]);
  expect(samplesOf(text, "last")).toEqual([{ labels: {}, value: 5 }]);
  expect(samplesOf(text, "limit")[0]?.value).toBe(Number.POSITIVE_INFINITY);
});

test("values that are not numbers, and truncated lines, are skipped", () => {
  expect(samplesOf(text, "nothing")).toEqual([]);
  expect(samplesOf(text, "cut")).toEqual([]);
});

test("sums and means use the first metric that exists, and its wanted samples", () => {
  expect(sumOf(text, ["absent", "vllm:num_requests_running"])).toBe(6);
  expect(meanOf(text, ["vllm:num_requests_running", "last"])).toBe(3);
  expect(sumOf(text, ["vllm:num_requests_running"], ({ engine }) => engine === "1")).toBe(4);
  expect(sumOf(text, ["absent"])).toBeUndefined();
  expect(meanOf("", ["last"])).toBeUndefined();
});
