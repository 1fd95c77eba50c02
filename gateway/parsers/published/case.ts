import type { ToolFunction, Tools } from "../types.ts";

/**
 * What models have written that other parsers of tool calls and reasoning got wrong, as their issue trackers say. The
 * functions and texts are ours, the structure is the reported one.
 */
export interface PublishedCase {
  /** Where it was published. */
  readonly issue: string;
  readonly format: string;
  readonly text: string;
  /** Names and arguments. */
  readonly calls: readonly (readonly [string, unknown])[];
  /** What the client gets beside calls. Default: nothing. */
  readonly said?: string;
}

const string = { type: "string" };
const declared: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  now: {},
  weather: { city: string, days: { type: "integer" }, metric: { type: "boolean" } },
  "write-file": { path: string, content: string },
  run: { command: string, timeout: { type: "number" } },
  search: { query: string, tags: { type: "array" }, filters: { type: "object" } },
  task: { taskId: string, note: { anyOf: [string, { type: "null" }] }, when: { type: ["integer", "null"] } },
};
/** The functions that are called. */
export const TOOLS: Tools = new Map(
  Object.entries(declared).map(([name, properties]): [string, ToolFunction] => [
    name,
    { name, parameters: { type: "object", properties } },
  ]),
);
