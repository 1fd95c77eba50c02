import { z } from "zod";
import { defineFault, share } from "./fault.ts";

/** Slows steps down. */
export const slow = defineFault({
  parameters: z.strictObject({ factor: z.coerce.number().positive(), rate: share.default(1) }),
  create: ({ factor, rate }, { random }) => ({ stepFactor: () => (random() < rate ? factor : 1) }),
});
