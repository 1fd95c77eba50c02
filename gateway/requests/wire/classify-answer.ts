import { jsonOf } from "../../kernel/json.ts";
import type { HttpHead } from "../../wire/types.ts";
import { errorStatusOf } from "./engine-error.ts";
import type { EventApi } from "./event-api.ts";
import { latin1 } from "./sent-bytes.ts";
import { isClientError } from "./statuses.ts";

/** What an unstreamed answer turned out to be. */
export type AnswerClass =
  | { readonly kind: "valid" }
  /** An error sent with status 200; `status` is the status it stands for. */
  | { readonly kind: "error"; readonly status: number; readonly isClientError: boolean }
  | { readonly kind: "garbage" };

const VALID: AnswerClass = { kind: "valid" };

/** The start of a JSON body that may be an error. */
const ERROR_OPENING = /^\s*\{\s*"(error|code|message|status|(object|type)"\s*:\s*"error)"/;
const OPENING_BYTES = 4 * 1024;

/** Checks that an answer of a known API is JSON and not an error. Answers of other APIs are always valid. */
export function classifyAnswer(
  { status, hasBody, isEncoded }: HttpHead,
  body: Uint8Array,
  api: EventApi | undefined,
): AnswerClass {
  if (status !== 200 || !hasBody || isEncoded || api === undefined) return VALID;
  const mayBeError = ERROR_OPENING.test(latin1(body.subarray(0, OPENING_BYTES)));
  return !mayBeError && isObject(body) ? VALID : classifyDocument(body);
}

/** The same for an answer that is declared as something else: all of it is parsed. */
export function classifyDocument(body: Uint8Array): AnswerClass {
  const json = jsonOf(decoder.decode(body));
  if (json === undefined) return { kind: "garbage" };
  const status = errorStatusOf(json);
  return status === undefined ? VALID : { kind: "error", status, isClientError: isClientError(status) };
}

/** Checks only the first and last characters. */
function isObject(json: Uint8Array): boolean {
  const first = latin1(json.subarray(0, OPENING_BYTES)).trimStart()[0];
  const last = latin1(json.subarray(-OPENING_BYTES)).trimEnd().at(-1);
  return first === "{" && last === "}";
}

const decoder = new TextDecoder();
