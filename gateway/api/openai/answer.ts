import type { Context } from "hono";
import { type ApiError, toApiError } from "../../kernel/errors.ts";
import type { Detached, EventStream } from "../../kernel/event-stream.ts";
import { whenThere } from "../../kernel/eventually.ts";
import type { Placement } from "../../requests/placement.ts";
import type { TokenInfo, TokenJob, TokenResult, Usage } from "../../requests/tokens/job.ts";
import { TokenTransfer } from "../../requests/tokens/token-transfer.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { FallbackError } from "../fallback-error.ts";
import { placementHeaders } from "../placement-headers.ts";
import { newCallId } from "./call-id.ts";
import type { AnswerFormat, Choice } from "./format.ts";

export interface AnswerPlan {
  /** One per choice, in index order. */
  jobs: readonly TokenJob[];
  format: AnswerFormat;
  /** How many choices share a prompt (`n`): its tokens count once. */
  choicesPerPrompt: number;
  /** Response headers; `explain` adds the worker and the overlap. */
  headers: Record<string, string>;
  explain: boolean;
  /** Set if the answer is made whether or not its client stays. */
  detached?: Detached | undefined;
  /** Called once with the request's HTTP status (499 if the client disconnected) and its usage. */
  onSettled(status: number, usage: Usage): void;
  /** Called instead of `onSettled` if another model is asked. */
  onFallback(): void;
}

/** Answers with server-sent events as soon as the first worker has accepted its job. */
export function streamAnswer(
  context: Context,
  dependencies: GatewayDependencies,
  plan: AnswerPlan,
): Promise<Response> {
  return new Promise((resolve, reject) =>
    new StreamedAnswer(context, dependencies, plan, resolve, reject).start(),
  );
}

/** Answers with one JSON body once all choices are complete. */
export function wholeAnswer(
  context: Context,
  dependencies: GatewayDependencies,
  plan: AnswerPlan,
): Promise<Response> {
  return new Promise((resolve, reject) =>
    new WholeAnswer(context, dependencies, plan, resolve, reject).start(),
  );
}

/** A request with all its choices, which succeed, fail or are cancelled together. */
abstract class Answer {
  protected readonly plan: AnswerPlan;
  protected readonly transfers: readonly TokenTransfer[];
  protected readonly resolve: (response: Response) => void;
  protected readonly reject: (error: Error) => void;
  readonly #signal: AbortSignal;
  readonly #results: TokenResult[] = [];
  #remaining: number;
  #settled = false;

  constructor(
    context: Context,
    dependencies: GatewayDependencies,
    plan: AnswerPlan,
    resolve: (response: Response) => void,
    reject: (error: Error) => void,
  ) {
    this.plan = plan;
    this.resolve = resolve;
    this.reject = reject;
    this.#signal = plan.detached?.signal ?? context.req.raw.signal;
    this.#remaining = plan.jobs.length;
    const { requestOptions: options, warnings, running } = dependencies;
    const life = { options, warnings, running };
    this.transfers = plan.jobs.map((job, index) => {
      const output = {
        onStart: (placement: Placement) => this.onStart(index, placement),
        onEcho: (tokens: readonly TokenInfo[]) => this.onEcho(index, tokens),
        onText: (text: string, tokens: readonly TokenInfo[] | undefined) => this.onText(index, text, tokens),
        onReasoning: (text: string, tokens: readonly TokenInfo[] | undefined) =>
          this.onReasoning(index, text, tokens),
        onCall: (name: string, id: string | undefined) => this.onCall(index, name, id ?? newCallId()),
        onArguments: (json: string) => this.onArguments(index, json),
        onEnd: (result: TokenResult) => this.#finish(index, result),
        onError: (error: ApiError) => this.#fail(error),
        onFallback: (error: ApiError) => this.#fallBack(error),
      };
      return new TokenTransfer(job, output, life);
    });
  }

  start(): void {
    this.#signal.addEventListener("abort", this.abort);
    if (this.#signal.aborted) this.abort();
    for (const transfer of this.transfers) if (!this.#settled) transfer.life.start();
  }

  /** Whether part of the answer has been sent to the client. */
  protected abstract readonly hasBegun: boolean;
  protected abstract onStart(index: number, placement: Placement): void;
  protected abstract onEcho(index: number, tokens: readonly TokenInfo[]): void;
  protected abstract onText(index: number, text: string, tokens: readonly TokenInfo[] | undefined): void;
  protected abstract onReasoning(index: number, text: string, tokens: readonly TokenInfo[] | undefined): void;
  protected abstract onCall(index: number, name: string, id: string): void;
  protected abstract onArguments(index: number, json: string): void;
  /** A choice is complete while others are not. */
  protected abstract onChoice(index: number, result: TokenResult): void;
  /** The last choice is complete. */
  protected abstract onComplete(index: number, results: readonly TokenResult[], usage: Usage): void;
  protected abstract onFailure(error: Error): void;

  /** The client has disconnected. */
  protected readonly abort = (): void => {
    if (!this.#settle(499)) return;
    this.#cancelAll();
    this.resolve(new Response(null, { status: 499 }));
  };

  protected headers(placement: Placement): Record<string, string> {
    const { headers, explain } = this.plan;
    return explain ? { ...headers, ...placementHeaders(placement) } : headers;
  }

  #finish(index: number, result: TokenResult): void {
    this.#results[index] = result;
    this.#remaining--;
    if (this.#remaining > 0) {
      this.onChoice(index, result);
      return;
    }
    const usages = this.#results.map(({ usage }) => usage);
    this.onComplete(index, this.#results, totalUsage(usages, this.plan.choicesPerPrompt));
    this.#settle(200);
  }

  #fail(error: Error): void {
    if (!this.#settle(toApiError(error).status)) return;
    this.#cancelAll();
    this.onFailure(error);
  }

  /** Lets another model answer instead, unless the client already has part of this one's answer. */
  #fallBack(error: ApiError): void {
    if (this.hasBegun) this.#fail(error);
    if (this.#settled) return;
    this.#settled = true;
    this.#signal.removeEventListener("abort", this.abort);
    this.#cancelAll();
    this.plan.onFallback();
    this.reject(new FallbackError(error));
  }

  /** Only the first end counts. */
  #settle(status: number): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#signal.removeEventListener("abort", this.abort);
    const usages = this.transfers.map(({ usage }) => usage);
    this.plan.onSettled(status, totalUsage(usages, this.plan.choicesPerPrompt));
    return true;
  }

  #cancelAll(): void {
    for (const transfer of this.transfers) transfer.life.cancel();
  }
}

class StreamedAnswer extends Answer {
  readonly #open: (headers: Record<string, string>) => EventStream;
  #stream: EventStream | undefined;

  constructor(
    context: Context,
    dependencies: GatewayDependencies,
    plan: AnswerPlan,
    resolve: (response: Response) => void,
    reject: (error: Error) => void,
  ) {
    super(context, dependencies, plan, resolve, reject);
    const { detached } = plan;
    this.#open = (headers) => detached?.openStream() ?? dependencies.openEventStream(context, headers);
  }

  protected override get hasBegun(): boolean {
    return this.#stream !== undefined;
  }

  protected override onStart(index: number, placement: Placement): void {
    if (this.#stream === undefined) {
      this.#stream = this.#open(this.headers(placement));
      this.#stream.onWritable = () => {
        for (const transfer of this.transfers) transfer.resume();
      };
      this.#stream.onAbort = this.abort;
      this.resolve(this.#stream.response);
    }
    this.#write(this.plan.format.first(index));
  }

  protected override onEcho(index: number, tokens: readonly TokenInfo[]): void {
    this.#write(this.plan.format.echo(index, tokens));
  }

  protected override onText(index: number, text: string, tokens: readonly TokenInfo[] | undefined): void {
    this.#write(this.plan.format.text(index, text, tokens));
  }

  protected override onReasoning(
    index: number,
    text: string,
    tokens: readonly TokenInfo[] | undefined,
  ): void {
    this.#write(this.plan.format.reasoning(index, text, tokens));
  }

  protected override onCall(index: number, name: string, id: string): void {
    this.#write(this.plan.format.call(index, name, id));
  }

  protected override onArguments(index: number, json: string): void {
    this.#write(this.plan.format.arguments(index, json));
  }

  protected override onChoice(index: number, result: TokenResult): void {
    this.#write(this.plan.format.last(index, result));
  }

  protected override onComplete(index: number, results: readonly TokenResult[], usage: Usage): void {
    const { format } = this.plan;
    const last = format.last(index, results[index]!);
    whenThere(format.end(usage), (end) => {
      this.#stream?.write(last + end);
      this.#stream?.end();
    });
  }

  /** Before the first event, an error is a regular response; later, it is the stream's last event. */
  protected override onFailure(error: Error): void {
    if (this.#stream === undefined) {
      this.reject(error);
      return;
    }
    this.#stream.write(this.plan.format.error(toApiError(error)));
    this.#stream.end();
  }

  #write(text: string): void {
    if (text === "" || this.#stream === undefined || this.#stream.write(text)) return;
    for (const transfer of this.transfers) transfer.pause();
  }
}

class WholeAnswer extends Answer {
  readonly #choices = this.plan.jobs.map((_, index) => newChoice(index));
  #headers = this.plan.headers;
  protected override readonly hasBegun = false;

  protected override onStart(index: number, placement: Placement): void {
    if (index === 0) this.#headers = this.headers(placement);
  }

  protected override onEcho(index: number, tokens: readonly TokenInfo[]): void {
    this.#choices[index]!.tokens.push(...tokens);
  }

  protected override onText(index: number, text: string, tokens: readonly TokenInfo[] | undefined): void {
    this.#choices[index]!.text += text;
    if (tokens !== undefined) this.#choices[index]!.tokens.push(...tokens);
  }

  protected override onReasoning(
    index: number,
    text: string,
    tokens: readonly TokenInfo[] | undefined,
  ): void {
    const choice = this.#choices[index]!;
    choice.reasoning += text;
    if (tokens !== undefined) choice.tokens.push(...tokens);
  }

  protected override onCall(index: number, name: string, id: string): void {
    this.#choices[index]!.calls.push({ id, name, arguments: "" });
  }

  protected override onArguments(index: number, json: string): void {
    this.#choices[index]!.calls.at(-1)!.arguments += json;
  }

  protected override onChoice(): void {}

  protected override onComplete(_index: number, results: readonly TokenResult[], usage: Usage): void {
    const choices = this.#choices.map((choice): Choice => {
      const { finishReason, stopString } = results[choice.index]!;
      return { ...choice, finishReason, stopString };
    });
    whenThere(this.plan.format.whole(choices, usage), (body) =>
      this.resolve(Response.json(body, { headers: this.#headers })),
    );
  }

  protected override onFailure(error: Error): void {
    this.reject(error);
  }
}

/** A choice of which nothing has arrived. */
const newChoice = (index: number) => ({
  index,
  text: "",
  reasoning: "",
  calls: [] as { id: string; name: string; arguments: string }[],
  tokens: [] as TokenInfo[],
});

/** Prompt tokens count once, however many choices share the prompt. */
function totalUsage(usages: readonly Usage[], choicesPerPrompt: number): Usage {
  const total: Usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };
  usages.forEach((usage, index) => {
    total.completionTokens += usage.completionTokens;
    if (usage.reasoningTokens !== undefined)
      total.reasoningTokens = (total.reasoningTokens ?? 0) + usage.reasoningTokens;
    if (index % choicesPerPrompt !== 0) return;
    total.promptTokens += usage.promptTokens;
    total.cachedTokens += usage.cachedTokens;
  });
  return total;
}
