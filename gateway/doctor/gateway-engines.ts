import { z } from "zod";
import type { EngineSpec } from "../dispatch/engines/engine-spec.ts";
import type { EngineApi } from "../engines/types.ts";

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
