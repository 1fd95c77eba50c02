import {
  decodeRoleRequest,
  type Handler,
  type Logger,
  type ModelCard,
  PlaneError,
  type WorkerRole,
} from "#runtime";
import type { Engine } from "./engine.ts";

/**
 * @param engine whose card has been checked
 * @throws PlaneError `invalid_request` if it cannot have the role
 */
export function checkRole(role: WorkerRole, { card, encode, roles }: Engine): void {
  const lacks = (what: string) =>
    new PlaneError(
      "invalid_request",
      `The engine '${card.engine.name}' cannot have the role '${role}', because it cannot ${what}.`,
    );
  if (roles !== undefined && !roles.includes(role))
    throw lacks(roles.includes("encode") ? "do anything but encode media" : "do that work");
  if (role === "encode" && encode === undefined) throw lacks("encode media");
  if (role === "prefill" && card.kvFormat === undefined) throw lacks("export the KV of a prompt");
  if (role === "decode" && card.kvFormat === undefined) throw lacks("import the KV of a prompt");
}

/**
 * Sees to it that KV or features can be transferred before a worker gets a role that needs it.
 * @throws PlaneError `invalid_request` if that is not so
 */
export async function prepareRole(role: ModelCard["role"], kv: { prepare(): Promise<void> }): Promise<void> {
  if (role === "aggregated") return;
  await kv.prepare().catch((cause: Error) => {
    const reason = `The worker cannot have the role '${role}': ${cause.message}`;
    throw new PlaneError("invalid_request", reason, { cause });
  });
}

/**
 * Serves the endpoint `role`.
 * @param change announces the worker with its new role; requests that run are not affected
 */
export function roleHandler(
  engine: Engine,
  change: (role: WorkerRole) => Promise<void>,
  log: Logger,
): Handler {
  return async (payload, call) => {
    const role = decodeRoleRequest(payload);
    checkRole(role, engine);
    await change(role);
    log.info("role changed", { role });
    call.end();
  };
}
