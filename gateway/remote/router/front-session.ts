import { noWorkerReady, toApiError } from "../../kernel/errors.ts";
import type { AttachedModels } from "../../models/attached-models.ts";
import type { EngineConnection } from "../../models/members/engine-connection.ts";
import type { TargetWorker } from "../../models/members/engine-target.ts";
import type { EngineWorker } from "../../models/members/engine-worker.ts";
import type { QueueTicket } from "../../routing/queue/route-source.ts";
import type { Route } from "../../routing/route.ts";
import { toErrorMessage } from "../error-message.ts";
import type { ApplyMessage, RouterChannel, ToRouter } from "../messages.ts";

/** Messages that are not about routes. */
export type GroupMessage = Extract<ToRouter, { type: "ask" | "used" | "inflight" | "metrics" }>;

export interface FrontSessionListener {
  /** Takes the messages that are not about routes. */
  onGroup(message: GroupMessage): void;
  /** A message of this type could not be acted on; the others go on. */
  onFault(type: ToRouter["type"], error: unknown): void;
}

/** What the router process does for one front process: it holds the routes of the front's requests. */
export class FrontSession {
  readonly channel: RouterChannel;
  readonly #attached: AttachedModels;
  readonly #routes = new Map<number, Route<TargetWorker>>();
  readonly #tickets = new Map<number, QueueTicket>();
  readonly #listener: FrontSessionListener;
  readonly #stopWatching: () => void;

  constructor(channel: RouterChannel, attached: AttachedModels, listener: FrontSessionListener) {
    this.channel = channel;
    this.#attached = attached;
    this.#listener = listener;
    channel.onMessage = (message) => {
      try {
        this.#take(message);
      } catch (error) {
        listener.onFault(message.type, error);
        if (message.type === "apply") this.#refuse(message.id, error);
      }
    };
    this.#stopWatching = attached.watch((engine, workers) => this.#tell(engine, workers));
  }

  /** The front has gone, and with it its requests. */
  close(): void {
    this.#stopWatching();
    for (const ticket of this.#tickets.values()) ticket.leave();
    for (const route of this.#routes.values()) route.free("failed");
    this.#tickets.clear();
    this.#routes.clear();
  }

  #tell(engine: EngineConnection, workers: readonly EngineWorker[]): void {
    const { name, spec, state, profile, sources } = engine;
    if (state === "gone") this.channel.send({ type: "engine-gone", name });
    if (state === "gone" || profile === undefined) return;
    const models = workers.map(({ model, instance }) => ({
      name: model.name,
      blockSize: this.#attached.find(model.name)?.model.blockSize ?? instance.card.blockSize,
      instance,
    }));
    this.channel.send({
      type: "engine",
      engine: {
        name,
        url: spec.url,
        apiKey: spec.apiKey,
        isReady: state === "ready",
        hungFor: engine.hungFor,
        profile,
        sources,
        models,
      },
    });
  }

  #take(message: ToRouter): void {
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
      case "success":
        this.#attached.engine(message.engine)?.reportSuccess();
        break;
      case "failure":
        this.#attached.engine(message.engine)?.reportFailure(message.reason, message.isUnreachable);
        break;
      case "reread-models":
        this.#attached.engine(message.engine)?.rereadModels();
        break;
      case "observe":
        this.#attached.engine(message.engine)?.observe(message.answer);
        break;
      case "remember":
        this.#attached.resources.remember(message.resource, message.engine);
        break;
      case "find":
        this.channel.send({
          type: "found",
          id: message.id,
          engine: this.#attached.resources.find(message.resource),
        });
        break;
      default:
        this.#listener.onGroup(message);
    }
  }

  #apply({ id, model: name, prompt, requestId, salt, preferences, leftMs, excluded }: ApplyMessage): void {
    const { channel } = this;
    const model = this.#attached.find(name)?.model;
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
        excluded.length === 0 ? [] : model.members().filter(({ engine }) => excluded.includes(engine.name)),
    };
    let isSettled = false;
    const settle = () => {
      isSettled = true;
      this.#tickets.delete(id);
    };
    const ticket = model.admission.apply(request, {
      onRoute: (route) => {
        settle();
        this.#routes.set(id, route);
        const { worker, rank, overlapBlocks } = route;
        channel.send({ type: "route", id, engine: worker.engine.name, rank, overlapBlocks });
      },
      onRefused: (error) => {
        settle();
        this.#refuse(id, error);
      },
    });
    if (ticket !== undefined && !isSettled) this.#tickets.set(id, ticket);
  }

  #refuse(id: number, error: unknown): void {
    this.channel.send({ type: "refused", id, error: toErrorMessage(toApiError(error)) });
  }

  /** Where the route is on its way, nobody takes it any more. */
  #leave(id: number): void {
    this.#tickets.get(id)?.leave();
    this.#tickets.delete(id);
    this.#routes.get(id)?.free("cancelled");
    this.#routes.delete(id);
  }
}
