import { messageOf, type TransferOutcome } from "#runtime";
import { KvUnusableError } from "./types.ts";

type Failure = Exclude<TransferOutcome, "transferred">;

/** What an error of the transfer agent means for a read. A peer refuses a read of memory that it no longer has. */
const OUTCOMES: Readonly<Record<string, Failure>> = {
  invalid: "refused",
  out_of_range: "refused",
  peer_lost: "unreachable",
  refused: "expired",
  unavailable: "unsupported",
};

/** The same while connecting: a peer that refuses has no kind of transfer in common with this worker. */
const CONNECT_OUTCOMES: Readonly<Record<string, Failure>> = { ...OUTCOMES, refused: "unreachable" };

/**
 * An error of the transfer agent as one that says what it means for the request.
 * @param phase `unsupported` while the agent is opened, `unreachable` while it connects, `failed` while it reads
 */
export function unusable(error: unknown, phase: "unsupported" | "unreachable" | "failed"): KvUnusableError {
  if (error instanceof KvUnusableError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const table = phase === "failed" ? OUTCOMES : CONNECT_OUTCOMES;
  const outcome = phase === "unsupported" ? phase : (table[code] ?? phase);
  return new KvUnusableError(outcome, messageOf(error), { cause: error });
}
