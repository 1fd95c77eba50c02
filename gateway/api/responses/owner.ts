import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";

/** Whose responses a request can see: those of its key. */
export const ownerOf = (context: Context<GatewayEnv>): string => context.get("key")?.id ?? "";
