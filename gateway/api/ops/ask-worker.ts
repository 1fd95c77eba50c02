import { messageOf, PlaneError, unaryCall } from "#runtime";
import { ApiError, invalidRequest } from "../../kernel/errors.ts";
import type { WorkerMember } from "../../models/members/member.ts";

/** Longest time for a worker to confirm, in milliseconds. */
const CONFIRM_MS = 5_000;

/** A wish of an operator. */
export interface WorkerWish {
  readonly endpoint: string;
  readonly payload: Uint8Array;
  /** What the worker is asked to do. */
  readonly wish: string;
  /** What to do if it cannot be asked, as a sentence. */
  readonly advice: string;
  /** Longest time for it, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
}

/**
 * Asks a worker for something that it announces in discovery, so that all gateways know.
 * @throws ApiError 400 if it refuses, 502 if it cannot be asked
 */
export async function askWorker(
  { client, instance }: Pick<WorkerMember, "client" | "instance">,
  { endpoint, payload, wish, advice, timeoutMs: deadlineMs = CONFIRM_MS }: WorkerWish,
): Promise<void> {
  try {
    if (client === undefined) throw new PlaneError("connection_lost", "It is not connected.");
    await unaryCall(client, endpoint, payload, { deadlineMs });
  } catch (cause) {
    if (cause instanceof PlaneError && cause.code === "invalid_request") throw invalidRequest(cause.message);
    throw new ApiError(
      502,
      "server_error",
      `The worker '${instance.name}' cannot be asked to ${wish}: ${messageOf(cause)} ${advice}`,
      { code: "worker_failed", cause },
    );
  }
}

const POLL_MS = 10;

/** Waits for what this gateway hears of through discovery, as long as it may take. */
export async function whenKnown(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + CONFIRM_MS;
  while (!condition() && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
