import { z } from "zod";
import type { EngineApi } from "../engines/types.ts";
import type { EngineSpec } from "../models/members/engine-spec.ts";
import { diagnosisSchema } from "./diagnosis-schema.ts";
import type { Diagnosis } from "./types.ts";

const listSchema = z.looseObject({
  data: z.array(z.looseObject({ url: z.url(), name: z.string() })),
});

/**
 * The engines of a running gateway, as it tells them to its operators.
 * @returns undefined where there is no such gateway
 */
export async function enginesOfGateway(api: EngineApi): Promise<EngineSpec[] | undefined> {
  try {
    const read = listSchema.safeParse(await api.getJson("/admin/workers"));
    return read.data?.data.map(({ url, name }) => ({ url, name }));
  } catch {
    // An engine may answer whatever it likes to this.
    return undefined;
  }
}

/**
 * Has a running gateway examine its engines: it has their keys and certificates, and reaches them as its requests do.
 * @param api with a time limit that suits all of it
 * @param waitMs longest wait for one thing, in milliseconds
 * @returns undefined where it is of a release that cannot
 */
export async function askGateway(api: EngineApi, waitMs: number): Promise<Diagnosis | undefined> {
  try {
    return diagnosisSchema.safeParse(await api.postJson("/admin/doctor", { timeout_ms: waitMs })).data;
  } catch {
    return undefined;
  }
}
