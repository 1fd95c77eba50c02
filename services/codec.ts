import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import { messageOf } from "#runtime";

/** How values of a type travel. */
export interface Codec<Value> {
  encode(value: Value): Uint8Array;
  /** @throws Error that says what is wrong with the bytes, or with the value in them */
  decode(bytes: Uint8Array): Value;
}

/** A validator of values, such as a zod schema. */
export interface Schema<Value> {
  /** @throws Error that says what is wrong */
  parse(value: unknown): Value;
}

/** Any value that JSON or msgpack has, bytes and typed arrays included, without a check. */
export const anyCodec: Codec<unknown> = {
  encode: (value) => encode(value, { ignoreUndefined: true }),
  decode: (bytes) => decode(bytes),
};

/** The same, checked by a schema on arrival. */
export const schemaCodec = <Value>(schema: Schema<Value>): Codec<Value> => ({
  encode: (value) => anyCodec.encode(value),
  decode(bytes) {
    const value = anyCodec.decode(bytes);
    try {
      return schema.parse(value);
    } catch (cause) {
      throw new Error(sentenceOf(cause), { cause });
    }
  },
});

/**
 * Values that travel as a protobuf message, which may change without breaking older and newer clients.
 *
 * @param message its descriptor, as `protoc-gen-es` generates it
 * @example
 * endpoint({
 *   request: protobuf(QuestionSchema),
 *   response: protobuf(AnswerSchema),
 *   handle: async ({ text }) => create(AnswerSchema, { text: `You asked: ${text}` }),
 * })
 */
export const protobuf = <Message extends DescMessage>(message: Message): Codec<MessageShape<Message>> => ({
  encode: (value) => toBinary(message, value),
  decode: (bytes) => fromBinary(message, bytes),
});

/** What a schema says is wrong; of zod's list of issues, each with its field. */
function sentenceOf(error: unknown): string {
  if (error instanceof z.ZodError)
    return error.issues
      .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`))
      .join("; ");
  return messageOf(error);
}

/** Whether it is a codec rather than a schema. */
export const isCodec = <Value>(type: Codec<Value> | Schema<Value>): type is Codec<Value> =>
  "decode" in type && "encode" in type && !("parse" in type);

/** The codec of a type, however it is described. */
export function codecOf(type: Codec<unknown> | Schema<unknown> | undefined): Codec<unknown> {
  if (type === undefined) return anyCodec;
  return isCodec(type) ? type : schemaCodec(type);
}
