import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { RoleRequestSchema } from "#proto";
import { PlaneError } from "./request-plane/types.ts";

/** The endpoint by which a worker is asked to change its role. It ends once discovery has the new one. */
export const roleEndpoint = "role";

/** What a worker can do: all of a request's work, or a part of it. */
export const workerRoles = ["aggregated", "prefill", "decode", "encode"] as const;

export type WorkerRole = (typeof workerRoles)[number];

/** Encodes the payload of a call to it: the protobuf message `stator.v1.RoleRequest`. */
export const encodeRoleRequest = (role: WorkerRole): Uint8Array =>
  toBinary(RoleRequestSchema, create(RoleRequestSchema, { role }));

/** Decodes the output of `encodeRoleRequest`. @throws PlaneError `invalid_request` if it is something else */
export function decodeRoleRequest(payload: Uint8Array): WorkerRole {
  const { role } = decoded(payload);
  const known = workerRoles.find((each) => each === role);
  if (known !== undefined) return known;
  throw new PlaneError(
    "invalid_request",
    `A worker cannot have the role '${role}'. Roles: ${workerRoles.join(", ")}.`,
  );
}

function decoded(payload: Uint8Array) {
  try {
    return fromBinary(RoleRequestSchema, payload);
  } catch (cause) {
    throw new PlaneError("invalid_request", "The role request is not a valid protobuf message.", { cause });
  }
}
