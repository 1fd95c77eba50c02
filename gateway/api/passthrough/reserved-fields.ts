import { TRANSFER_FIELDS } from "../../engines/disaggregation/types.ts";
import { isRecord } from "../../kernel/json.ts";
import { withFields } from "../../kernel/json-fields.ts";
import type { PromptBody } from "../../prompts/prompt-reader.ts";

/** vLLM's field for further arguments, which may have the same fields. */
const MORE_ARGUMENTS = "vllm_xargs";

/** Fields of SGLang, TensorRT-LLM and llama.cpp that choose a LoRA adapter whatever model a request names. */
const ADAPTER_FIELDS: ReadonlySet<string> = new Set(["lora_path", "lora_request", "lora"]);

interface ParsedBody {
  readonly bytes: Uint8Array | undefined;
  readonly body: PromptBody | undefined;
}

/**
 * Removes what engines use to hand KV blocks to each other from a client's request: it could read other requests' blocks,
 * or end the engine.
 * @param isScoped whether the client may only use some models: then also what would choose others
 * @returns the names of the removed fields; undefined if there were none
 */
export function removeReservedFields(
  { bytes, body }: ParsedBody,
  isScoped = false,
): (ParsedBody & { removed: string[] }) | undefined {
  if (bytes === undefined || body === undefined) return undefined;
  const removed = Object.keys(body).filter(
    (name) => isDangerous(name, body[name]) || (isScoped && ADAPTER_FIELDS.has(name)),
  );
  if (removed.length === 0) return undefined;
  const kept = Object.fromEntries(Object.entries(body).filter(([name]) => !removed.includes(name)));
  return { bytes: withFields(bytes, new Set(removed), {}), body: kept, removed };
}

function isDangerous(name: string, value: unknown): boolean {
  if (name !== MORE_ARGUMENTS) return TRANSFER_FIELDS.has(name);
  return isRecord(value) && Object.keys(value).some((each) => TRANSFER_FIELDS.has(each));
}
