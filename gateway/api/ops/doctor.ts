import type { Context } from "hono";
import { z } from "zod";
import { readJsonBody } from "../../access/body.ts";
import type { OpsDependencies } from "../dependencies.ts";
import { validate } from "../openai/validate.ts";
import { strictObject } from "../strict-object.ts";

/** The body of `POST /admin/doctor`. */
export const doctorRequest = strictObject({
  timeout_ms: z
    .int()
    .min(100)
    .max(600_000)
    .default(10_000)
    .describe("Timeout in milliseconds for each answer, connection or event."),
});

/** `POST /admin/doctor`: examines the attached engines like `stator doctor`. */
export async function examineEngines(context: Context, dependencies: OpsDependencies): Promise<Response> {
  const { json } = await readJsonBody(context.req.raw, dependencies.bodyLimit);
  const { timeout_ms } = validate(doctorRequest, json);
  return context.json(await dependencies.diagnose(timeout_ms));
}
