import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { z } from "zod";
import {
  type EncodedMedium as EncodedMediumMessage,
  EncodedMediumSchema,
  EncodeRequestSchema,
  EncodeResponseSchema,
} from "#proto";
import { PlaneError } from "../request-plane/types.ts";
import { decodeKvSource, encodeKvSource, type KvSource, kvSourceSchema } from "./kv-source.ts";
import { mediaKinds } from "./request.ts";

/** The worker's endpoint that turns media into what language models take in their place. */
export const encodeEndpoint = "encode";

const mediumToEncodeSchema = z.object({
  /** What the medium is known by: media with the same id are the same. */
  id: z.string().min(1),
  kind: z.enum(mediaKinds),
  /** Its media type by its content: `image/png`. */
  type: z.string().min(1),
  /** The file. Empty: the worker is asked whether it still has what it made of the medium. */
  data: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
});

const encodeRequestSchema = z.object({
  /** For logs. */
  requestId: z.string(),
  media: z.array(mediumToEncodeSchema).min(1),
});

/** One call of a worker's `encode` endpoint. */
export type EncodeRequest = z.infer<typeof encodeRequestSchema>;
export type MediumToEncode = z.infer<typeof mediumToEncodeSchema>;

/** What became of one medium. */
export type EncodedMedium =
  /** Features, which the worker holds for as long as it has room for them. */
  | { readonly kind: "features"; readonly source: KvSource }
  | { readonly kind: "text"; readonly text: string }
  /** It cannot be encoded. @param message a sentence for the client @param isTooLarge whether a smaller one could be */
  | { readonly kind: "refused"; readonly message: string; readonly isTooLarge?: boolean | undefined }
  /** Its data are needed. */
  | { readonly kind: "missing" };

/** The request as bytes: the protobuf message `stator.v1.EncodeRequest`. */
export const encodeEncodeRequest = (request: EncodeRequest): Uint8Array =>
  toBinary(EncodeRequestSchema, create(EncodeRequestSchema, request));

/**
 * Decodes the output of `encodeEncodeRequest`. The media's data are views of the payload.
 * @throws PlaneError `invalid_request` if the bytes are not a valid request
 */
export function decodeEncodeRequest(payload: Uint8Array): EncodeRequest {
  try {
    return encodeRequestSchema.parse(fromBinary(EncodeRequestSchema, payload));
  } catch (cause) {
    throw new PlaneError("invalid_request", "The encode request is not a valid protobuf message.", { cause });
  }
}

/** The answer as bytes: the protobuf message `stator.v1.EncodeResponse`. */
export const encodeEncodeResponse = (media: readonly EncodedMedium[]): Uint8Array =>
  toBinary(EncodeResponseSchema, create(EncodeResponseSchema, { media: media.map(messageOf) }));

/**
 * Decodes the output of `encodeEncodeResponse`. The result owns its memory.
 * @throws PlaneError `invalid_request` if the bytes are something else
 */
export function decodeEncodeResponse(payload: Uint8Array): EncodedMedium[] {
  try {
    return fromBinary(EncodeResponseSchema, payload.slice()).media.map(readMedium);
  } catch (cause) {
    throw new PlaneError("invalid_request", "The encode answer is not a valid protobuf message.", { cause });
  }
}

function messageOf(medium: EncodedMedium): EncodedMediumMessage {
  const result = (): EncodedMediumMessage["result"] => {
    if (medium.kind === "features") return { case: "features", value: encodeKvSource(medium.source) };
    if (medium.kind === "text") return { case: "text", value: medium.text };
    if (medium.kind === "refused") return { case: "refusal", value: medium.message };
    return { case: "isMissing", value: true };
  };
  const isTooLarge = medium.kind === "refused" && medium.isTooLarge === true;
  return create(EncodedMediumSchema, { result: result(), isTooLarge });
}

function readMedium({ result, isTooLarge }: EncodedMediumMessage): EncodedMedium {
  if (result.case === "features")
    return { kind: "features", source: kvSourceSchema.parse(decodeKvSource(result.value)) };
  if (result.case === "text") return { kind: "text", text: result.value };
  if (result.case === "refusal")
    return { kind: "refused", message: result.value, ...(isTooLarge && { isTooLarge }) };
  return { kind: "missing" };
}
