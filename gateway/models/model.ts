import type { EncodedMedium, ModelCard } from "#runtime";
import type { Encoded } from "../engines/encoding/types.ts";
import type { ApiError, BoundTo } from "../kernel/errors.ts";
import type { ModelMetrics } from "../kernel/metrics.ts";
import {
  chosenFormat,
  REASONING_FORMATS,
  reasoningFormatOf,
  TOOL_FORMATS,
  toolFormatOf,
} from "../parsers/formats.ts";
import { hermes } from "../parsers/tools/hermes.ts";
import type { ReasoningFormat, ToolFormat } from "../parsers/types.ts";
import type { ChatTemplate } from "../prompts/chat-template.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import { TextTokens } from "../prompts/tokenizers/text-tokens.ts";
import type { Tokenizer } from "../prompts/tokenizers/tokenizer.ts";
import { tokenizingReader } from "../prompts/tokenizing-reader.ts";
import { EncoderTable } from "../routing/encode/encoder-table.ts";
import { answersAlone, canDecode, isEncodeWorker, isPrefillWorker } from "../routing/filters/role.ts";
import type { PendingRoute, RouteHandler, RouteSource } from "../routing/queue/route-source.ts";
import { RecentlyLeft } from "../routing/recently-left.ts";
import type { PeekRequest, RouteRequest } from "../routing/route.ts";
import type { EngineMember, EngineTarget } from "./members/engine-member.ts";
import type { Member, WorkerMember } from "./members/member.ts";

/** A model, its members, and how requests reach them. Without a router, changes to members have no effect. */
export abstract class Model {
  readonly name: string;
  /** Tokens in a KV block. */
  blockSize: number;
  /** Members that left recently. */
  readonly left = new RecentlyLeft();
  readonly metrics: ModelMetrics;
  readonly #members = new Set<Member>();
  readonly #counts = { engine: 0, worker: 0 };
  /** The model as served by engines. */
  readonly engines: EngineSide;
  /** The model as served by workers; undefined until its tokenizer and template are loaded. */
  workers: WorkerSide | undefined;
  readonly #created = Math.floor(Date.now() / 1000);
  /** Routes requests to its members. */
  abstract readonly admission: RouteSource<Member>;

  constructor(name: string, blockSize: number, metrics: ModelMetrics) {
    this.name = name;
    this.blockSize = blockSize;
    this.metrics = metrics;
    this.engines = new EngineSide(this);
  }

  /** Ready or not. */
  get members(): ReadonlySet<Member> {
    return this.#members;
  }

  join(member: Member): void {
    this.#members.add(member);
    this.#counts[member.kind]++;
  }

  /** @param mayReturn whether it may come back, so that requests that name it are retryable for a while */
  leave(member: Member, mayReturn: boolean): void {
    if (this.#members.delete(member)) this.#counts[member.kind]--;
    if (mayReturn) this.left.add(member.instance, performance.now(), member.adapters);
  }

  /** The member's readiness may have changed. */
  update(_member: Member): void {}

  /** Whether the member sends usable KV events may have changed. */
  updateMode(_member: Member): void {}

  /** Forgets what the member, or one of its ranks, has cached. */
  clear(_member: Member, _rank?: number): void {}

  /** Applies a batch of a member's KV events. @throws KvEventError if the bytes are not a valid batch */
  applyPayload(_member: Member, _payload: Uint8Array): void {}

  /** Rejects queued requests, whose tokens no longer mean the same. */
  refuseWaiting(_error: ApiError): void {}

  /** Further names of the same weights. */
  get aliases(): readonly string[] {
    return this.#all(({ aliases }) => aliases);
  }

  /** LoRA adapters on these weights. */
  get adapters(): readonly string[] {
    return this.#all(({ adapters }) => adapters);
  }

  /** The largest context length of any member, in tokens; undefined if none reports it. */
  get contextLength(): number | undefined {
    let longest = 0;
    for (const { contextLength = 0 } of this.#members) longest = Math.max(longest, contextLength);
    return longest || undefined;
  }

  /** Whether a member has this alias. Called for each request, so it allocates no lists. */
  hasAlias(name: string): boolean {
    for (const { aliases } of this.#members) if (aliases.includes(name)) return true;
    return false;
  }

  /** Whether a member has this LoRA adapter. */
  hasAdapter(name: string): boolean {
    for (const { adapters } of this.#members) if (adapters.includes(name)) return true;
    return false;
  }

  /** Seconds since the epoch. */
  get created(): number {
    for (const { created } of this.#members) if (created !== undefined) return created;
    return this.#created;
  }

  /** Whether it has no members now. */
  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** Whether all of its members only encode media for others. */
  get isEncoder(): boolean {
    for (const member of this.#members) if (!isEncodeWorker(member)) return false;
    return this.#members.size > 0;
  }

  /** Its workers that are ready to encode media to a format. */
  encodersOf(format: string): WorkerMember[] {
    return [...this.#members]
      .filter((member): member is WorkerMember => member.kind === "worker")
      .filter(
        (member) =>
          isEncodeWorker(member) &&
          member.isReady &&
          member.client !== undefined &&
          member.instance.card.featureFormat === format,
      );
  }

  /** Whether it has members of this kind, ready or not. */
  has(kind: Member["kind"]): boolean {
    return this.#counts[kind] > 0;
  }

  /** The kind of member that would get the request now. */
  abstract kindFor(request: PeekRequest): Member["kind"] | Promise<Member["kind"]>;

  /** Waits until its workers can be used, if that takes only a moment. */
  async whenReady(): Promise<void> {}

  /** Whether the model can do without the member: another one that does the same, or everything, is ready. */
  hasOther(member: Member): boolean {
    const canReplace = isPrefillWorker(member)
      ? (other: Member) => isPrefillWorker(other) || answersAlone(other)
      : canDecode;
    for (const other of this.#members)
      if (other !== member && other.isReady && canReplace(other)) return true;
    return false;
  }

  #all(of: (member: Member) => readonly string[]): readonly string[] {
    return [...new Set([...this.#members].flatMap(of))];
  }
}

const NONE: readonly never[] = [];

/** A model as served by one kind of member: engines, which receive bytes, or workers, which receive tokens. */
export class ModelSide<Worker extends Member> {
  readonly #model: Model;
  readonly kind: Worker["kind"];
  readonly admission: RouteSource<Worker>;

  constructor(model: Model, kind: Worker["kind"]) {
    this.#model = model;
    this.kind = kind;
    this.admission = new SideRoutes(model, this);
  }

  get name(): string {
    return this.#model.name;
  }

  get blockSize(): number {
    return this.#model.blockSize;
  }

  get left(): RecentlyLeft {
    return this.#model.left;
  }

  get metrics(): ModelMetrics {
    return this.#model.metrics;
  }

  get contextLength(): number | undefined {
    return this.#model.contextLength;
  }

  /** Whether any member of this kind is ready. */
  get isReady(): boolean {
    for (const { kind, isReady } of this.#model.members) if (kind === this.kind && isReady) return true;
    return false;
  }

  /** Members of either kind, ready or not, which requests may name. */
  allMembers(): Member[] {
    return [...this.#model.members];
  }

  /** Members of this kind, ready or not. */
  members(): Worker[] {
    return [...this.#model.members].filter((member): member is Worker => member.kind === this.kind);
  }

  /** Members of this kind that do not have the LoRA adapter. */
  withoutAdapter(name: string): Worker[] {
    return this.members().filter(({ adapters }) => !adapters.includes(name));
  }

  /** Members of the other kind. */
  others(): readonly Member[] {
    if (!this.#model.has(this.kind === "engine" ? "worker" : "engine")) return NONE;
    return [...this.#model.members].filter((member) => member.kind !== this.kind);
  }
}

/** Routes requests to a model's members of one kind. */
class SideRoutes<Worker extends Member> implements RouteSource<Worker> {
  readonly #model: Model;
  readonly #side: ModelSide<Worker>;

  constructor(model: Model, side: ModelSide<Worker>) {
    this.#model = model;
    this.#side = side;
  }

  apply(request: RouteRequest<Worker>, handler: RouteHandler<Worker>): PendingRoute | undefined {
    // The cast is safe: with the other kind excluded, the chosen member is of this kind.
    return this.#model.admission.apply(this.#narrowed(request), handler as RouteHandler<Member>);
  }

  boundTo(request: RouteRequest<Worker>): BoundTo | undefined {
    return this.#model.admission.boundTo(this.#narrowed(request));
  }

  #narrowed(request: RouteRequest<Worker>): RouteRequest<Member> {
    const others = this.#side.others();
    return others.length === 0 ? request : { ...request, excluded: [...request.excluded, ...others] };
  }
}

/** A model as served by engines, whose tokenizer turns prompts into the tokens that the router compares. */
export class EngineSide extends ModelSide<EngineMember> {
  /** Set when its first engine is attached. */
  prompts: Promise<PromptReader> | undefined;
  readonly textTokens = new TextTokens();
  /** Of its encode engines. */
  readonly encoders = new EncoderTable<Encoded>();

  constructor(model: Model) {
    super(model, "engine");
  }

  /** Members whose engine is not fit for a request. */
  unfit(isFit: (engine: EngineTarget) => boolean): EngineMember[] {
    return this.members().filter(({ engine }) => !isFit(engine));
  }

  /** Members whose engine lists no model or adapter by this name; not every engine of a model must have it. */
  lacking(name: string): EngineMember[] {
    if (name === this.name) return [];
    return this.members().filter(
      ({ model, aliases, adapters }) =>
        model.name !== name && !aliases.includes(name) && !adapters.includes(name),
    );
  }
}

/** A model as served by workers, with their tokenizer and chat template. */
export class WorkerSide extends ModelSide<WorkerMember> {
  readonly card: ModelCard;
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  /** Its workers that are ready to encode media to a format. */
  readonly encodersOf: Model["encodersOf"];
  /** The same as a prompt reader, for comparing prompts. */
  readonly prompts: PromptReader;
  /** How the model writes tool calls; undefined if it is not to call any. */
  readonly toolFormat: ToolFormat | undefined;
  /** How it marks its reasoning; undefined if it is not known to reason. */
  readonly reasoningFormat: ReasoningFormat | undefined;
  /** Of its encode workers. */
  readonly encoders = new EncoderTable<EncodedMedium>();

  constructor(model: Model, card: ModelCard, tokenizer: Tokenizer, template: ChatTemplate) {
    super(model, "worker");
    this.encodersOf = (format) => model.encodersOf(format);
    this.card = card;
    this.tokenizer = tokenizer;
    this.template = template;
    const hints = { template: template.source, model: card.name.toLowerCase() };
    this.toolFormat = chosenFormat(TOOL_FORMATS, card.toolParser, () =>
      template.showsTools ? (toolFormatOf(hints) ?? hermes) : hermes,
    );
    this.reasoningFormat = chosenFormat(REASONING_FORMATS, card.reasoningParser, () =>
      reasoningFormatOf(hints),
    );
    this.prompts = tokenizingReader({
      source: "the workers' tokenizer",
      template,
      encode: (text) => tokenizer.encode(text),
      prefix: card.addBos && card.bosTokenId !== undefined ? [card.bosTokenId] : [],
    });
  }
}
