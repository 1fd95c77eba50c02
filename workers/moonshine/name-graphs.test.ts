import { expect, test } from "vitest";
import { nameGraphs } from "./name-graphs.ts";

const field = (number: number, content: Uint8Array | string): Uint8Array => {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const length =
    bytes.length < 128 ? [bytes.length] : [(bytes.length % 128) + 128, Math.floor(bytes.length / 128)];
  return Buffer.concat([Uint8Array.from([number * 8 + 2, ...length]), bytes]);
};
const join = (...parts: Uint8Array[]) => Buffer.concat(parts);
const VERSION = Uint8Array.of(8, 10);

/** A model whose graph has an `If` with a branch in which another one is. */
function model(names: readonly [string, string, string]): Uint8Array {
  const named = (name: string) => (name === "" ? new Uint8Array(0) : field(2, name));
  const inner = join(field(1, field(4, "Add")), named(names[2]));
  const middle = join(field(1, join(field(4, "If"), field(5, field(6, inner)))), named(names[1]));
  const weights = field(5, "w".repeat(200));
  const outer = join(field(1, join(field(4, "If"), field(5, field(6, middle)))), named(names[0]), weights);
  return join(VERSION, field(7, outer));
}

test("graphs without a name get one, at any depth", () => {
  expect(Buffer.from(nameGraphs(model(["main", "", ""])))).toEqual(
    Buffer.from(model(["main", "graph_1", "graph_0"])),
  );
});

test("a model whose graphs have names stays as it is", () => {
  const named = model(["main", "then", "else"]);
  expect(Buffer.from(nameGraphs(named))).toEqual(Buffer.from(named));
});

test("what is no model is refused", () => {
  expect(() => nameGraphs(Uint8Array.of(0x80))).toThrow("cut off");
  expect(() => nameGraphs(Uint8Array.of(7, 7))).toThrow("not valid protobuf");
});
