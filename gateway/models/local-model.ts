import type { Logger } from "#runtime";
import type { ApiError } from "../kernel/errors.ts";
import type { GatewayMetrics } from "../kernel/metrics.ts";
import { canDecode, missingRole } from "../routing/filters/role.ts";
import { ModelRouter } from "../routing/model-router.ts";
import type { RoutingOptions } from "../routing/options.ts";
import { Admission } from "../routing/queue/admission.ts";
import type { RouteSource } from "../routing/queue/route-source.ts";
import type { PeekRequest } from "../routing/route.ts";
import type { RoutedCard, RoutedInstance } from "../routing/workers.ts";
import type { Member } from "./members/member.ts";
import { Model } from "./model.ts";
import type { WarmStart } from "./warm-start.ts";

export interface LocalModelOptions {
  readonly routerModule: WebAssembly.Module;
  readonly routing: RoutingOptions;
  readonly metrics: GatewayMetrics;
  readonly log: Logger;
  /** Undefined without other gateways. */
  readonly warmStart?: WarmStart | undefined;
}

/** A router for one block size, and its queue. */
interface Routing {
  readonly router: ModelRouter<Member>;
  readonly queue: Admission<Member>;
}

/** A member as shown by the operations routes. */
export interface MemberView {
  readonly instance: RoutedInstance;
  readonly kind: Member["kind"];
  /** Undefined if it answers requests from end to end. */
  readonly role: RoutedCard["role"] | undefined;
  /** `shut_out` if it is ready but exceeds --index-workers; `starting` while its model's tokenizer is loading. */
  readonly status: string;
  /** Whether requests can go to it. */
  readonly canServe: boolean;
  readonly isShutOut: boolean;
  loads(): ReturnType<ModelRouter<Member>["loads"]>;
}

/** A model whose router is in this process. */
export class LocalModel extends Model {
  readonly #options: LocalModelOptions;
  #routing: Routing;
  /** Members whose KV events or cards confirm the router's block size. */
  readonly #agreeing = new Set<Member>();
  /** Members whose KV events have another block size. */
  readonly #mismatched = new Set<Member>();

  constructor(name: string, blockSize: number, options: LocalModelOptions) {
    super(name, blockSize, options.metrics.forModel(name));
    this.#options = options;
    this.#routing = this.#open();
  }

  get router(): ModelRouter<Member> {
    return this.#routing.router;
  }

  get admission(): RouteSource<Member> {
    return this.#routing.queue;
  }

  /** Requests queued for a member with capacity. */
  get waiting(): number {
    return this.#routing.queue.waiting;
  }

  /** Whether it can answer. */
  get isReady(): boolean {
    let canAnswer = false;
    for (const member of this.members) if (this.canServe(member) && canDecode(member)) canAnswer = true;
    return canAnswer && missingRole(this.members) === undefined;
  }

  /** Whether requests can go to the member. */
  canServe(member: Member): boolean {
    return member.isReady && !this.router.isShutOut(member) && this.#isPrepared(member);
  }

  /** Whether prompts for the member can be read: those for workers need their tokenizer and template. */
  #isPrepared({ kind }: Member): boolean {
    return kind === "engine" || this.workers !== undefined;
  }

  #statusOf(member: Member): string {
    if (!member.isReady) return member.state;
    if (this.router.isShutOut(member)) return "shut_out";
    return this.#isPrepared(member) ? member.state : "starting";
  }

  override kindFor(request: PeekRequest): Member["kind"] {
    const member = this.router.peek({ ...request, requestId: "", excluded: [] });
    return member?.kind ?? (this.has("engine") ? "engine" : "worker");
  }

  views(): MemberView[] {
    const { router } = this;
    return Array.from(this.members, (member) => ({
      instance: member.instance,
      kind: member.kind,
      role: member.instance.card.role === "aggregated" ? undefined : member.instance.card.role,
      status: this.#statusOf(member),
      canServe: this.canServe(member),
      isShutOut: router.isShutOut(member),
      loads: () => router.loads(member),
    }));
  }

  override join(member: Member): void {
    const { blockSize } = member.instance.card;
    // A worker's card is authoritative; an engine's profile may be wrong.
    const isCertain = member.kind === "worker";
    if (isCertain && blockSize !== this.blockSize && this.#agreeing.size === 0) this.resize(blockSize);
    super.join(member);
    this.router.addWorker(member);
    if (isCertain && blockSize === this.blockSize) this.#agreeing.add(member);
    this.updateMode(member);
    void this.#options.warmStart?.take(this, member);
  }

  override leave(member: Member, mayReturn: boolean): void {
    this.#agreeing.delete(member);
    this.#mismatched.delete(member);
    this.router.removeWorker(member);
    super.leave(member, mayReturn);
  }

  override update(member: Member): void {
    this.router.updateWorker(member);
  }

  /** Without usable events, the router predicts a member's cache, as for members that never send any. */
  override updateMode(member: Member): void {
    if (member.isPredicted || this.#mismatched.has(member)) {
      this.router.predictOnly(member);
    } else this.router.followEvents(member);
  }

  /** Whether it is taking over what other gateways know of its members' caches. */
  get isWarming(): boolean {
    return this.#options.warmStart?.isWarming(this.name) ?? false;
  }

  /** Whether KV events or workers have confirmed the block size. */
  get isBlockSizeConfirmed(): boolean {
    return this.#agreeing.size > 0;
  }

  override clear(member: Member, rank?: number): void {
    this.router.clearWorker(member, rank);
  }

  /**
   * Applies a batch of a member's KV events. Their block size overrides what operators and engines report: the router
   * starts over with it, unless other members have confirmed the current one.
   * @throws KvEventError if the bytes are not a valid batch
   */
  override applyPayload(member: Member, payload: Uint8Array): void {
    const blockSize = this.router.applyPayload(member, payload);
    // A worker's events that contradict its card are ignored, and its drift is detected later.
    if (blockSize === undefined || member.kind === "worker") return;
    member.noteBlockSize(blockSize);
    if (blockSize === this.blockSize) {
      this.#agreeing.add(member);
      if (this.#mismatched.delete(member)) this.updateMode(member);
    } else if (this.#agreeing.size === 0) {
      const { log } = this.#options;
      log.info("the router now uses the block size of an engine's KV events", {
        engine: member.instance.name,
        model: this.name,
        blockSize,
        instead: this.blockSize,
      });
      this.resize(blockSize);
      this.#agreeing.add(member);
      this.router.applyPayload(member, payload);
    } else this.#noteMismatch(member, blockSize);
  }

  /** Starts over with another block size. Queued requests stay queued. */
  resize(blockSize: number): void {
    const { router, queue } = this.#routing;
    this.blockSize = blockSize;
    this.#agreeing.clear();
    this.#mismatched.clear();
    router.onAdmitted = undefined;
    for (const member of this.members) router.removeWorker(member);
    this.#routing = this.#open();
    this.router.thresholds = router.thresholds;
    for (const member of this.members) {
      this.router.addWorker(member);
      this.updateMode(member);
    }
    queue.handOver(this.#routing.queue);
  }

  override refuseWaiting(error: ApiError): void {
    this.#routing.queue.refuseAll(error);
  }

  #open(): Routing {
    const { name, blockSize, metrics } = this;
    const { routerModule, routing, log } = this.#options;
    const shared = routing.others?.loadsOf(name);
    const router = new ModelRouter<Member>(routerModule, blockSize, routing, metrics.routing, log, shared);
    router.onAdmitted = (member) => member.followEvents();
    router.onUnreadable = (member, what) => member.noteUnreadable(what);
    const queue = new Admission(name, router, routing.queue, metrics.routing);
    return { router, queue };
  }

  #noteMismatch(member: Member, blockSize: number): void {
    this.#agreeing.delete(member);
    if (this.#mismatched.has(member)) return;
    this.#mismatched.add(member);
    this.#options.log.error(
      "an engine's KV events are unusable: their block size differs from the other engines'",
      { engine: member.instance.name, model: this.name, blockSize, expectedBlockSize: this.blockSize },
    );
    member.noteUnreadable(
      `their blocks have ${blockSize} tokens, those of the other engines of ${this.name} ${this.blockSize}`,
    );
    this.updateMode(member);
  }
}
