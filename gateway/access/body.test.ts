import { expect, it } from "vitest";
import { readJsonBody } from "./body.ts";

const read = (body: string) =>
  readJsonBody(
    new Request("http://stator/", { method: "POST", headers: { "content-type": "application/json" }, body }),
    10_000_000,
  );

const lists = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const objects = (levels: number) => `${'{"items":'.repeat(levels)}1${"}".repeat(levels)}`;

it.each([lists, objects])("reads a body of 500 levels, and refuses a deeper one: %s", async (write) => {
  expect((await read(write(500))).json).toEqual(JSON.parse(write(500)));
  for (const levels of [501, 6000, 100_000])
    await expect(read(write(levels))).rejects.toMatchObject({
      status: 400,
      code: "invalid_json",
      message: expect.stringContaining("nested too deeply: at most 500 levels"),
    });
});

it("counts no brackets in texts, and none beside each other", async () => {
  const json = {
    text: "[{".repeat(2000),
    ["{".repeat(2000)]: 1,
    list: Array.from({ length: 2000 }, () => [{}]),
  };
  expect((await read(JSON.stringify(json))).json).toEqual(json);
});
