import { jsonOf } from "../../prompts/json.ts";
import type { HttpHead } from "../../wire/types.ts";
import { errorStatusOf } from "./engine-error.ts";
import type { EventApi } from "./event-api.ts";
import { latin1 } from "./sent-bytes.ts";
import { isClientError } from "./statuses.ts";

/** What an unstreamed answer turns out to be. */
export type WholeAnswer =
  | { readonly kind: "sound" }
  /** An error that came with status 200; `status` is what it stands for. */
  | { readonly kind: "error"; readonly status: number; readonly isClients: boolean }
  | { readonly kind: "garbage" };

const SOUND: WholeAnswer = { kind: "sound" };

/** How a JSON body begins that may be an error. */
const ERROR_OPENING = /^\s*\{\s*"(error|code|message|status|(object|type)"\s*:\s*"error)"/;
const OPENING_BYTES = 4 * 1024;

/** Tells whether an answer of a known API is JSON, and no error. Answers of other APIs are always sound. */
export function judgeWhole(
  { status, hasBody, isEncoded }: HttpHead,
  body: Uint8Array,
  api: EventApi | undefined,
): WholeAnswer {
  if (status !== 200 || !hasBody || isEncoded || api === undefined) return SOUND;
  if (ERROR_OPENING.test(latin1(body.subarray(0, OPENING_BYTES)))) {
    const meant = errorStatusOf(jsonOf(decoder.decode(body)));
    return meant === undefined ? SOUND : { kind: "error", status: meant, isClients: isClientError(meant) };
  }
  return isObject(body) || jsonOf(decoder.decode(body)) !== undefined ? SOUND : { kind: "garbage" };
}

/** Checks both ends only. */
function isObject(json: Uint8Array): boolean {
  const first = latin1(json.subarray(0, OPENING_BYTES)).trimStart()[0];
  const last = latin1(json.subarray(-OPENING_BYTES)).trimEnd().at(-1);
  return first === "{" && last === "}";
}

const decoder = new TextDecoder();
