import { TRANSFER_FIELDS } from "../../engines/disaggregation/types.ts";
import { isRecord } from "../../kernel/json.ts";
import { withFields } from "../../kernel/json-fields.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";

/** vLLM's field for further arguments, which may have the same fields. */
const MORE_ARGUMENTS = "vllm_xargs";

interface ParsedBody {
  readonly bytes: Uint8Array | undefined;
  readonly body: PromptBody | undefined;
}

/**
 * Removes what engines use to hand KV blocks to each other from a client's request: it could read other requests' blocks,
 * or end the engine.
 * @returns the names of the removed fields; undefined if there were none
 */
export function removeTransferFields(given: ParsedBody): (ParsedBody & { removed: string[] }) | undefined {
  const { bytes, body } = given;
  if (bytes === undefined || body === undefined) return undefined;
  const removed = Object.keys(body).filter((name) => isDangerous(name, body[name]));
  if (removed.length === 0) return undefined;
  const kept = Object.fromEntries(Object.entries(body).filter(([name]) => !removed.includes(name)));
  return { bytes: withFields(bytes, new Set(removed), {}), body: kept, removed };
}

function isDangerous(name: string, value: unknown): boolean {
  if (name !== MORE_ARGUMENTS) return TRANSFER_FIELDS.has(name);
  return isRecord(value) && Object.keys(value).some((each) => TRANSFER_FIELDS.has(each));
}
