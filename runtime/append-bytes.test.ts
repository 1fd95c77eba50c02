import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { GenerateRequestSchema } from "#proto";
import { appendBytes } from "./append-bytes.ts";

test.each([0, 1, 127, 128, 16_383, 16_384, 300_000])("an appended field of %d bytes is read", (length) => {
  const tokenIds = new Uint8Array(length).fill(7);
  const fields = { model: "m", maxTokens: 5 };
  const message = toBinary(GenerateRequestSchema, create(GenerateRequestSchema, fields));
  const { number } = GenerateRequestSchema.field.tokenIds;
  const read = fromBinary(GenerateRequestSchema, appendBytes(message, number, tokenIds));
  expect(read).toEqual(create(GenerateRequestSchema, { ...fields, tokenIds }));
});
