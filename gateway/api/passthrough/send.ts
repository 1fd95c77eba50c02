import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { type ApiError, toApiError } from "../../kernel/errors.ts";
import type { AnswerFormats } from "../../parsers/answer-parser.ts";
import type { Placement } from "../../requests/placement.ts";
import type { WireJob } from "../../requests/wire/job.ts";
import { WireTransfer } from "../../requests/wire/wire-transfer.ts";
import { contained } from "../../wire/contained.ts";
import type { HttpHead, WireReply } from "../../wire/types.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";
import type { RequestMeta } from "../openai/request.ts";
import { placementHeaders } from "../placement-headers.ts";
import { rescuedReply } from "../rescue/rescued-reply.ts";
import { DetachedReply } from "../translation/detached-reply.ts";
import { RefusedReply } from "../translation/refused-reply.ts";
import { type ReplyTranslation, translatedReply } from "../translation/translated-reply.ts";
import { answerHeaders } from "./headers.ts";

/** What happens to an engine's answer on its way to the client. */
export interface Rewriting {
  readonly translation: ReplyTranslation | undefined;
  readonly rescue: AnswerFormats | undefined;
}

/**
 * Sends the job to an engine.
 * @returns the engine's answer; 499 if the client leaves before it begins
 * @throws ApiError if no engine answers, FallbackError if another model should be asked
 */
export function send(
  context: Context<GatewayEnv>,
  { transport, requestOptions, log, warnings, running }: GatewayDependencies,
  job: WireJob,
  { explain, headers, onAnswered, onSettled, onFallback }: RequestMeta,
  { translation, rescue }: Rewriting,
): Promise<Response> {
  const { detached } = context.var;
  const signal = detached?.signal ?? context.req.raw.signal;
  return new Promise((resolve, reject) => {
    let begun: WireReply | undefined;
    const abort = () => {
      request.cancel();
      resolve(new Response(null, { status: 499 }));
    };
    const output = {
      reply(head: HttpHead, placement: Placement) {
        signal.removeEventListener("abort", abort);
        const own = Object.entries(explain ? { ...headers, ...placementHeaders(placement) } : headers);
        const isRead = head.status >= 300 && (detached !== undefined || translation?.shorter !== undefined);
        const open = (head: HttpHead) => {
          if (isRead) return new RefusedReply(head.status, reject);
          if (detached !== undefined) return new DetachedReply(detached);
          return transport.reply(context, { ...head, headers: answerHeaders(head.headers) }, own);
        };
        const translated = (head: HttpHead) =>
          translation === undefined ? open(head) : translatedReply(head, translation, open);
        const reply = rescue === undefined ? translated(head) : rescuedReply(head, rescue, translated);
        begun = reply;
        if (!isRead) resolve(reply.response);
        return reply;
      },
      onAnswered,
      onSettled,
      onFailure(error: Error) {
        signal.removeEventListener("abort", abort);
        reject(error);
      },
      onFallback(error: ApiError) {
        signal.removeEventListener("abort", abort);
        onFallback();
        reject(new FallbackError(error));
      },
    };
    const onFault = (error: unknown) => {
      // Before the answer has begun, the error handler logs it.
      if (begun !== undefined)
        log.error("an internal error interrupted an answer", { request: job.requestId, error });
      try {
        request.stop(toApiError(error));
      } catch {
        begun?.destroy();
      }
      reject(error);
    };
    const { life: request } = new WireTransfer(job, output, {
      transport: contained(transport, onFault),
      options: requestOptions,
      warnings,
      running,
    });
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    else {
      try {
        request.start();
      } catch (error) {
        onFault(error);
      }
    }
  });
}
