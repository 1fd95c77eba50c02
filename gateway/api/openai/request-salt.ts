import type { Context } from "hono";
import type { Salt } from "#router-wasm";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { sharedTokens } from "./shared-prompts.ts";

/**
 * What separates the cached KV of a request to workers from that of others: the salt of its key, or else the client's.
 * Undefined if all share it.
 * @param asked the client's own
 * @throws ApiError 400 if the model's workers cannot keep caches apart
 */
export async function requestSalt(
  context: Context<GatewayEnv>,
  { access: { isolation } }: GatewayDependencies,
  model: WorkerSide,
  asked: string | null | undefined,
  tokens: Uint32Array,
): Promise<Salt | undefined> {
  const namespace = context.var.cacheSalt ?? asked ?? undefined;
  if (namespace === undefined) return undefined;
  requireSalts(model, isolation !== undefined);
  if (isolation === undefined) return { namespace };
  const shared = await sharedTokens(model, isolation.sharedPrompts, tokens);
  return { namespace, sharedBlocks: Math.floor(shared / model.blockSize) };
}

function requireSalts({ card }: WorkerSide, isIsolated: boolean): void {
  if (card.features.cacheSalt === true) return;
  throw isIsolated
    ? invalidRequest(
        `The model '${card.name}' is not available: this gateway keeps the caches of its keys apart (--isolate), which the engine '${card.engine.name}' cannot do. Use another model.`,
        "model",
        "unsupported_model",
      )
    : invalidRequest(
        `The model '${card.name}' does not support 'cache_salt': its engine cannot keep caches apart. Leave it out.`,
        "cache_salt",
        "unsupported_parameter",
      );
}
