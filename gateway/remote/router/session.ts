import { noWorkerReady, toApiError } from "../../kernel/errors.ts";
import type { AttachedMember } from "../../models/members/attached-member.ts";
import type { EngineConnection } from "../../models/members/engine-connection.ts";
import type { Member } from "../../models/members/member.ts";
import type { Models } from "../../models/models.ts";
import type { AttachedEngines } from "../../models/sources/attached-engines.ts";
import type { DiscoveredWorkers } from "../../models/sources/discovered-workers.ts";
import type { Assignment, PrefillPart } from "../../routing/plan.ts";
import type { PendingRoute } from "../../routing/queue/route-source.ts";
import type { Route } from "../../routing/route.ts";
import { toErrorMessage } from "../conversions.ts";
import type { ApplyMessage, AssignmentMessage, RouterChannel, ToRouter } from "../messages.ts";

/** Messages that are not about routes. */
export type GroupMessage = Extract<ToRouter, { type: "ask" | "used" | "inflight" | "metrics" }>;

export interface SessionListener {
  /** Receives messages that are not about routes. */
  onGroup(message: GroupMessage): void;
  /** A message of this type could not be handled; others are not affected. */
  onFault(type: ToRouter["type"], error: unknown): void;
}

/** What sessions need from their gateway. */
export interface RoutingGateway {
  readonly models: Models;
  readonly engines: AttachedEngines;
  readonly workers: DiscoveredWorkers;
}

/** The router process's session with one acceptor, which holds the routes of the acceptor's requests. */
export class AcceptorSession {
  readonly channel: RouterChannel;
  readonly #gateway: RoutingGateway;
  readonly #routes = new Map<number, Route<Member>>();
  readonly #pending = new Map<number, PendingRoute>();
  readonly #listener: SessionListener;
  readonly #stopWatching: () => void;

  constructor(channel: RouterChannel, gateway: RoutingGateway, listener: SessionListener) {
    this.channel = channel;
    this.#gateway = gateway;
    this.#listener = listener;
    channel.onMessage = (message) => {
      try {
        this.#onMessage(message);
      } catch (error) {
        listener.onFault(message.type, error);
        if (message.type === "apply") this.#refuse(message.id, error);
      }
    };
    this.#stopWatching = gateway.engines.watch((engine, members) => this.#sendEngine(engine, members));
  }

  /** The acceptor has exited, and its requests with it. */
  close(): void {
    this.#stopWatching();
    for (const pending of this.#pending.values()) pending.leave();
    for (const route of this.#routes.values()) route.free("failed");
    this.#pending.clear();
    this.#routes.clear();
  }

  #sendEngine(engine: EngineConnection, workers: readonly AttachedMember[]): void {
    const { name, spec, state, profile, sources } = engine;
    if (state === "gone") this.channel.send({ type: "engine-gone", name });
    if (state === "gone" || profile === undefined) return;
    const models = workers.map(({ model, instance }) => ({
      name: model.name,
      blockSize: this.#gateway.models.get(model.name)?.blockSize ?? instance.card.blockSize,
      instance,
    }));
    this.channel.send({
      type: "engine",
      engine: {
        name,
        url: spec.url,
        apiKey: spec.apiKey,
        kvLeaseMs: spec.kvLeaseMs,
        isReady: state === "ready",
        hungFor: engine.hungFor,
        isEvicting: engine.isEvicting,
        profile,
        sources,
        models,
      },
    });
  }

  #onMessage(message: ToRouter): void {
    switch (message.type) {
      case "apply":
        this.#apply(message);
        break;
      case "leave":
        this.#leave(message.id);
        break;
      case "first-token":
        this.#routes.get(message.id)?.firstToken();
        break;
      case "grow":
        this.#routes.get(message.id)?.grow(message.blocks);
        break;
      case "report":
        this.#routes.get(message.id)?.report(message.cachedTokens);
        break;
      case "free":
        this.#routes.get(message.id)?.free(message.outcome);
        this.#routes.delete(message.id);
        break;
      case "prefill-computed":
        this.#prefill(message.id)?.computed(message.cachedTokens, message.microseconds);
        break;
      case "prefill-transferred":
        this.#prefill(message.id)?.transferred(message.microseconds);
        break;
      case "prefill-free":
        this.#prefill(message.id)?.free();
        break;
      case "prefill-here":
        this.#routes.get(message.id)?.prefillHere();
        break;
      case "success":
        this.#member(message.member)?.reportSuccess();
        break;
      case "failure":
        this.#member(message.member)?.reportFailure(message.reason, message.isUnreachable);
        break;
      case "reread-models":
        this.#gateway.engines.engine(message.engine)?.rereadModels();
        break;
      case "observe":
        this.#gateway.engines.engine(message.engine)?.observe(message.answer);
        break;
      case "remember":
        this.#gateway.models.resources.remember(message.resource, message.engine);
        break;
      case "peek":
        this.#peek(message);
        break;
      case "find":
        void this.#find(message.id, message.resource);
        break;
      default:
        this.#listener.onGroup(message);
    }
  }

  #prefill(id: number): PrefillPart<Member> | undefined {
    return this.#routes.get(id)?.plan.prefill;
  }

  /** The engine or worker of this name. */
  #member(name: string): Pick<Member, "reportSuccess" | "reportFailure"> | undefined {
    return this.#gateway.engines.engine(name) ?? this.#gateway.workers.worker(name);
  }

  #peek({ id, model, prompt, preferences }: Extract<ToRouter, { type: "peek" }>): void {
    const request = { prompt, preferences: { ...preferences, deadlineAt: undefined } };
    const kind = this.#gateway.models.get(model)?.kindFor(request) ?? "engine";
    this.channel.send({ type: "peeked", id, kind });
  }

  async #find(id: number, resource: string): Promise<void> {
    this.channel.send({ type: "found", id, engine: await this.#gateway.models.resources.find(resource) });
  }

  #apply(message: ApplyMessage): void {
    const {
      id,
      model: name,
      prompt,
      requestId,
      salt,
      preferences,
      leftMs,
      excluded,
      remotePrefill,
    } = message;
    const { channel } = this;
    const model = this.#gateway.models.get(name);
    if (model === undefined) {
      this.#refuse(id, noWorkerReady(name));
      return;
    }
    const request = {
      prompt,
      requestId,
      salt,
      preferences: {
        ...preferences,
        deadlineAt: leftMs === undefined ? undefined : performance.now() + leftMs,
      },
      excluded:
        excluded.length === 0
          ? []
          : [...model.members].filter(({ instance }) => excluded.includes(instance.name)),
      remotePrefill,
    };
    let isSettled = false;
    const settle = () => {
      isSettled = true;
      this.#pending.delete(id);
    };
    const pending = model.admission.apply(request, {
      onRoute: (route) => {
        settle();
        this.#routes.set(id, route);
        const { prefill, prefillHere } = route.plan;
        channel.send({
          type: "route",
          id,
          ...assignmentMessage(route),
          ...(prefill && { prefill: assignmentMessage(prefill) }),
          prefillHere,
        });
      },
      onRefused: (error) => {
        settle();
        this.#refuse(id, error);
      },
    });
    if (pending !== undefined && !isSettled) this.#pending.set(id, pending);
  }

  #refuse(id: number, error: unknown): void {
    this.channel.send({ type: "refused", id, error: toErrorMessage(toApiError(error)) });
  }

  /** Also frees the route if it has already been sent, because the acceptor will not take it. */
  #leave(id: number): void {
    this.#pending.get(id)?.leave();
    this.#pending.delete(id);
    this.#routes.get(id)?.free("cancelled");
    this.#routes.delete(id);
  }
}

const assignmentMessage = ({ worker, rank, overlapBlocks }: Assignment<Member>): AssignmentMessage => ({
  engine: worker.instance.name,
  rank,
  overlapBlocks,
});
