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
