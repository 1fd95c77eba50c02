import type { Logger } from "#runtime";
import { ApiError, toApiError } from "../../../kernel/errors.ts";
import type { Holder } from "./holders.ts";

/** A change of a model's workers and engines. */
export interface Change {
  /** For messages: "load", "loaded". */
  readonly verb: "load" | "unload";
  readonly adapter: string;
  apply(holder: Holder): Promise<void>;
}

/**
 * Changes all of them at once.
 * @throws ApiError the error of those that failed; 502 if others did not, with the names of both
 */
export async function changeAll(holders: readonly Holder[], change: Change, log: Logger): Promise<void> {
  const { verb, adapter } = change;
  const outcomes = await Promise.all(
    holders.map(async (holder) => {
      try {
        await change.apply(holder);
        return { name: holder.name, error: undefined };
      } catch (error) {
        return { name: holder.name, error: toApiError(error) };
      }
    }),
  );
  const done = outcomes.flatMap(({ name, error }) => (error === undefined ? [name] : []));
  const failures = outcomes.flatMap(({ name, error }) => (error === undefined ? [] : [{ name, error }]));
  if (done.length > 0) log.info(`LoRA adapter ${verb}ed`, { adapter, workers: done.join(", ") });
  if (failures.length === 0) return;
  for (const { name, error } of failures)
    log.warn(`cannot ${verb} a LoRA adapter`, { adapter, worker: name, reason: error.message });
  throw done.length === 0 ? failureOf(failures) : partialFailure(change, done, failures);
}

interface Failure {
  readonly name: string;
  readonly error: ApiError;
}

/** All have failed: with the error of the first, and what each of them says, unless all say the same. */
function failureOf(failures: readonly Failure[]): ApiError {
  const [{ error }] = failures as [Failure];
  const messages = new Set(failures.map(({ error: { message } }) => message));
  if (messages.size === 1) return error;
  const { status, type, param, code, cause } = error;
  return new ApiError(status, type, reasonsOf(failures), { param, code, cause });
}

const partialFailure = (
  { verb, adapter }: Change,
  done: readonly string[],
  failures: readonly Failure[],
): ApiError =>
  new ApiError(
    502,
    "server_error",
    `The LoRA adapter '${adapter}' was ${verb}ed by ${done.join(", ")}, but not by others: ${reasonsOf(failures)} Send the request again to ask those.`,
    { code: "adapter_partly_changed" },
  );

const reasonsOf = (failures: readonly Failure[]) =>
  failures.map(({ name, error: { message } }) => `${name}: ${message.replace(/\.?$/, ".")}`).join(" ");
