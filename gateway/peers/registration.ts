import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { z } from "zod";
import { GatewayRegistrationSchema } from "#proto";
import { discoveryValue } from "#runtime";

const shape = z.object({
  id: z.string().min(1),
  /** Address of the request plane at which it reports its load. */
  address: z.string().min(1),
  /** Seconds since the epoch; 0 if it does not say. */
  startedAt: z.number(),
  /** Fingerprint of its key for private KV events. */
  kvEventsKey: z.string().optional(),
});

/** A gateway, stored in discovery under `gateways/<id>`: `stator.v1.GatewayRegistration`. */
export type GatewayRegistration = z.infer<typeof shape>;

/** Reads a gateway from discovery. */
export const gatewaySchema = discoveryValue(GatewayRegistrationSchema, shape);

/** A gateway as a value for discovery. */
export function gatewayValue(gateway: GatewayRegistration): JsonObject {
  const message = create(GatewayRegistrationSchema, gateway);
  return toJson(GatewayRegistrationSchema, message, { alwaysEmitImplicit: true }) as JsonObject;
}
