import { create, fromBinary, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { z } from "zod";
import { ServiceRegistrationSchema, ServiceRequestSchema } from "#proto";
import { appendBytes, discoveryValue } from "#runtime";

const shape = z.object({
  id: z.string().min(1),
  service: z.string(),
  /** A short readable name. */
  name: z.string(),
  /** Address of its request plane. */
  address: z.string().min(1),
  pid: z.number(),
  /** Set once it is leaving, and takes no more requests. */
  isLeaving: z.boolean(),
});

/** An instance of a service, stored in discovery under `services/<service>/<id>`: `stator.v1.ServiceRegistration`. */
export type Registration = z.infer<typeof shape>;

/** Reads a registration from discovery. */
export const registrationSchema = discoveryValue(ServiceRegistrationSchema, shape);

/** A registration as a value for discovery. */
export function registrationValue(registration: Registration): JsonObject {
  const message = create(ServiceRegistrationSchema, registration);
  return toJson(ServiceRegistrationSchema, message, { alwaysEmitImplicit: true }) as JsonObject;
}

export const keysOf = (service: string): string => `services/${service}/`;

/** A request and its id as they travel: the protobuf message `stator.v1.ServiceRequest`. */
export function frameRequest(requestId: string, payload: Uint8Array): Uint8Array {
  const message = toBinary(ServiceRequestSchema, create(ServiceRequestSchema, { requestId }));
  return appendBytes(message, ServiceRequestSchema.field.payload.number, payload);
}

/** Splits what `frameRequest` has framed. @returns undefined if it is something else */
export function splitRequest(
  framed: Uint8Array,
): { readonly requestId: string; readonly payload: Uint8Array } | undefined {
  try {
    const { requestId, payload } = fromBinary(ServiceRequestSchema, framed);
    return requestId === "" ? undefined : { requestId, payload };
  } catch {
    return undefined;
  }
}
