import type { ApiError } from "../../kernel/errors.ts";
import { clientLeft } from "../../kernel/errors.ts";
import { SingleAnswerTransfer, type SingleQuestion } from "../../requests/tokens/single-answer.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";

/**
 * Asks one of a model's workers.
 * @param signal the client's
 * @throws ApiError if no worker answers
 * @throws FallbackError if another model should answer instead
 */
export function askWorker<Answer>(
  question: SingleQuestion<Answer>,
  { requestOptions: options, warnings, running }: GatewayDependencies,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const output = {
      onAnswer: resolve,
      onError: reject,
      onFallback: (error: ApiError) => reject(new FallbackError(error)),
    };
    const { life } = new SingleAnswerTransfer(question, output, { options, warnings, running });
    signal.addEventListener("abort", () => {
      life.cancel();
      reject(clientLeft());
    });
    if (signal.aborted) reject(clientLeft());
    else life.start();
  });
}
