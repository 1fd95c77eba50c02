import {
  decodeRoleRequest,
  type Handler,
  type Logger,
  type ModelCard,
  PlaneError,
  type WorkerRole,
} from "#runtime";

/**
 * @param card of an engine that has checked it
 * @throws PlaneError `invalid_request` if the engine cannot have the role
 */
export function checkRole(role: WorkerRole, { engine, kvFormat }: ModelCard): void {
  if (role === "aggregated" || kvFormat !== undefined) return;
  const what = role === "prefill" ? "export the KV of a prompt" : "import the KV of a prompt";
  throw new PlaneError(
    "invalid_request",
    `The engine '${engine.name}' cannot have the role '${role}', because it cannot ${what}.`,
  );
}

/**
 * Sees to it that KV can be transferred before a worker gets a role that needs it.
 * @throws PlaneError `invalid_request` if that is not so
 */
export async function prepareRole(role: ModelCard["role"], kv: { prepare(): Promise<void> }): Promise<void> {
  if (role !== "prefill" && role !== "decode") return;
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
  card: ModelCard,
  change: (role: WorkerRole) => Promise<void>,
  log: Logger,
): Handler {
  return async (payload, call) => {
    const role = decodeRoleRequest(payload);
    checkRole(role, card);
    await change(role);
    log.info("role changed", { role });
    call.end();
  };
}
