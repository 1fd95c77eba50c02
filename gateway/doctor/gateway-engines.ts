import { z } from "zod";
import type { EngineApi } from "../engines/types.ts";
import type { EngineSpec } from "../models/members/engine-spec.ts";
import { diagnosisSchema } from "./diagnosis-schema.ts";
import type { Diagnosis } from "./types.ts";

const role = z.enum(["aggregated", "prefill", "decode", "encode"]).optional().catch(undefined);

const listSchema = z.looseObject({
  data: z.array(z.looseObject({ url: z.string(), name: z.string(), kind: z.string().nullish(), role })),
});

/** What answers requests for a gateway. */
export interface GatewayMembers {
  readonly engines: EngineSpec[];
  /** Whether it has workers of its own. */
  readonly hasWorkers: boolean;
}

/**
 * The engines of a running gateway, from its admin API.
 * @returns undefined if the address is not a gateway
 */
export async function membersOfGateway(api: EngineApi): Promise<GatewayMembers | undefined> {
  try {
    const { data } = listSchema.safeParse(await api.getJson("/admin/workers"));
    const engines = data?.data.filter(({ kind }) => kind !== "stator");
    return (
      engines && {
        engines: engines.map(({ url, name, role }) => ({ url, name, role })),
        hasWorkers: engines.length < data!.data.length,
      }
    );
  } catch {
    // An engine may answer anything to this.
    return undefined;
  }
}

/**
 * Lets a running gateway examine its engines: it has their keys and certificates, and reaches them like its requests.
 * @param api with a timeout long enough for the whole examination
 * @param waitMs timeout of each step, in milliseconds
 * @returns undefined if the gateway's version does not support this
 */
export async function askGateway(api: EngineApi, waitMs: number): Promise<Diagnosis | undefined> {
  try {
    return diagnosisSchema.safeParse(await api.postJson("/admin/doctor", { timeout_ms: waitMs })).data;
  } catch {
    return undefined;
  }
}
