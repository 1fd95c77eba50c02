import type { EngineModel } from "../engines/types.ts";
import type { ModelMetrics } from "../kernel/metrics.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import { TextTokens } from "../prompts/tokenizers/text-tokens.ts";
import type { RouteSource } from "../routing/queue/route-source.ts";
import { RecentlyLeft } from "../routing/recently-left.ts";
import { namesOf } from "./members/engine-profile.ts";
import type { TargetWorker } from "./members/engine-target.ts";
import type { RoutedModel } from "./routed-model.ts";

export interface ForwardModelOptions {
  readonly name: string;
  /** Tokens in a KV block. */
  readonly blockSize: number;
  /** Turns a request's prompt into the tokens that the router compares. */
  readonly prompts: Promise<PromptReader>;
  readonly metrics: ModelMetrics;
}

/** A model that attached engines serve, as its requests see it. */
export abstract class ForwardModel<Worker extends TargetWorker = TargetWorker>
  implements RoutedModel<Worker>
{
  readonly name: string;
  blockSize: number;
  readonly created = Math.floor(Date.now() / 1000);
  readonly left = new RecentlyLeft();
  readonly metrics: ModelMetrics;
  readonly textTokens = new TextTokens();
  readonly workers = new Set<Worker>();
  prompts: Promise<PromptReader>;
  abstract readonly admission: RouteSource<Worker>;

  constructor({ name, blockSize, prompts, metrics }: ForwardModelOptions) {
    this.name = name;
    this.blockSize = blockSize;
    this.prompts = prompts;
    this.metrics = metrics;
  }

  members(): Worker[] {
    return [...this.workers];
  }

  /** Workers whose engine lists neither model nor adapter by this name: not all engines of a model need have it. */
  lacking(name: string): Worker[] {
    if (name === this.name) return [];
    return this.members().filter(({ model }) => !namesOf(model).includes(name));
  }

  /** Longest prompt plus answer, in tokens, of the engine that takes most. */
  get contextLength(): number | undefined {
    const lengths = Array.from(this.workers, ({ model }) => model.contextLength ?? 0);
    return Math.max(0, ...lengths) || undefined;
  }

  /** Further names of the same weights. */
  get aliases(): string[] {
    return this.#names(({ aliases }) => aliases);
  }

  /** LoRA adapters on these weights. */
  get adapters(): string[] {
    return this.#names(({ adapters }) => adapters);
  }

  #names(of: (model: EngineModel) => readonly string[]): string[] {
    return [...new Set(Array.from(this.workers).flatMap(({ model }) => of(model)))];
  }
}
