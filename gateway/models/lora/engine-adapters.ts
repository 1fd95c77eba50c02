import { messageOf } from "#runtime";
import { ABSENT } from "../../engines/absent.ts";
import { ApiError, type ApiErrorType, invalidRequest } from "../../kernel/errors.ts";
import { isRecord, jsonOf } from "../../kernel/json.ts";
import type { EngineConnection } from "../members/engine-connection.ts";

/** Longest time for an engine to load an adapter, in milliseconds. */
const LOAD_MS = 120_000;

/** The body of a request to load or unload a LoRA adapter. */
export interface AdapterBody {
  readonly lora_name: string;
  readonly [field: string]: unknown;
}

/** An engine, as far as it is needed to change its adapters. */
export type AdaptableEngine = Pick<
  EngineConnection,
  "name" | "api" | "adapter" | "refreshModels" | "rereadModels"
>;

/**
 * Has an engine load or unload a LoRA adapter, then reads its models again.
 * @throws ApiError 400 or 404 if it refuses, 502 if it fails or cannot be reached
 */
export async function changeAdapters(
  engine: AdaptableEngine,
  change: "load" | "unload",
  body: AdapterBody,
): Promise<void> {
  const { name, api, adapter } = engine;
  if (adapter?.lora === undefined)
    throw invalidRequest(
      `The engine '${name}' (${adapter?.kind ?? "not reached yet"}) cannot ${change} LoRA adapters while it runs.`,
    );
  const { status, text } = await api.postText(adapter.lora[change], body, LOAD_MS).catch((cause: Error) => {
    throw failed(502, messageOf(cause), cause);
  });
  if (status >= 300) throw refusal(status, text, adapter.lora.advice);
  await engine.refreshModels().catch(() => engine.rereadModels());
}

function refusal(status: number, text: string, advice: string): ApiError {
  const reason = reasonIn(text);
  if (ABSENT.includes(status) && reason === undefined)
    return invalidRequest(`The engine does not change its LoRA adapters while it runs. ${advice}`);
  return failed(status, reason ?? `It answered with status ${status}.`);
}

function failed(status: number, message: string, cause?: unknown): ApiError {
  const type = TYPES[status];
  if (type === undefined) return new ApiError(502, "server_error", message, { code: "engine_failed", cause });
  return new ApiError(status, type, message, { code: "invalid_value" });
}

const TYPES: Readonly<Record<number, ApiErrorType>> = {
  400: "invalid_request_error",
  404: "not_found_error",
};

/** What vLLM and SGLang say in their errors; undefined for the error of a path that does not exist. */
function reasonIn(text: string): string | undefined {
  const json = jsonOf(text);
  if (!isRecord(json)) return undefined;
  const { error, error_message: ofSglang, message } = json;
  return [isRecord(error) ? error.message : undefined, ofSglang, message].find(
    (each): each is string => typeof each === "string" && each !== "",
  );
}
