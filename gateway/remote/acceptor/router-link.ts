import { gatewayStops } from "../../kernel/errors.ts";
import type { Member } from "../../models/members/member.ts";
import type { PendingRoute, RouteHandler } from "../../routing/queue/route-source.ts";
import type { PeekRequest, RouteRequest } from "../../routing/route.ts";
import { fromErrorMessage } from "../conversions.ts";
import type { AcceptorChannel, ApplyMessage, AskedAnswer, AskedRequest, ToAcceptor } from "../messages.ts";
import { RemoteRoute } from "./remote-route.ts";

/** Messages from the router process that are not answers. */
export type RouterNews =
  | Exclude<ToAcceptor, { readonly id: number }>
  | Extract<ToAcceptor, { type: "read-metrics" }>;

/** What a route needs to know about its model. */
export interface RouteTarget {
  readonly name: string;
  member(name: string): Member | undefined;
}

interface Pending {
  readonly model: RouteTarget;
  readonly handler: RouteHandler<Member>;
  /** The request that was sent, and when. */
  readonly message: ApplyMessage;
  readonly askedAt: number;
}

/** An acceptor's connection to the router process, which knows every engine and chooses routes. */
export class RouterLink {
  readonly #channel: AcceptorChannel;
  readonly #pending = new Map<number, Pending>();
  /** Pending requests other than those for routes. */
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>();
  #onNews: ((news: RouterNews) => void) | undefined;
  #lastId = 0;
  #isClosed = false;

  constructor(channel: AcceptorChannel) {
    this.#channel = channel;
  }

  /**
   * Starts receiving messages.
   * @param onNews receives messages that are not answers
   * @param onFault called if a message of this type could not be handled; others are not affected
   */
  open(
    onNews: (news: RouterNews) => void,
    onFault: (type: ToAcceptor["type"], error: unknown) => void,
  ): void {
    this.#onNews = onNews;
    this.#channel.onMessage = (message) => {
      try {
        this.#onMessage(message);
      } catch (error) {
        onFault(message.type, error);
      }
    };
  }

  /** Requests a route; the handler receives the answer later. */
  apply(model: RouteTarget, request: RouteRequest<Member>, handler: RouteHandler<Member>): PendingRoute {
    const id = ++this.#lastId;
    if (this.#isClosed) {
      queueMicrotask(() => handler.onRefused(gatewayStops()));
      return { leave() {} };
    }
    const { prompt, requestId, salt, excluded, remotePrefill } = request;
    const { deadlineAt, ...preferences } = request.preferences;
    const message: ApplyMessage = {
      id,
      model: model.name,
      prompt,
      requestId,
      salt,
      preferences,
      leftMs: deadlineAt === undefined ? undefined : deadlineAt - performance.now(),
      excluded: excluded.map(({ instance }) => instance.name),
      remotePrefill,
    };
    this.#pending.set(id, { model, handler, message, askedAt: performance.now() });
    this.#channel.send({ type: "apply", ...message });
    return {
      leave: () => {
        if (this.#pending.delete(id)) this.#channel.send({ type: "leave", id });
      },
    };
  }

  /** Lets the router process answer a request. @throws ApiError 503 if it has exited */
  ask(request: AskedRequest): Promise<AskedAnswer> {
    return this.#call((id) => ({ type: "ask", id, request }));
  }

  /** The name of the engine that stores the resource. */
  find(resource: string): Promise<string | undefined> {
    return this.#call((id) => ({ type: "find", id, resource }));
  }

  /** The kind of member that would get the request now. */
  kindFor(model: string, { prompt, preferences }: PeekRequest): Promise<Member["kind"]> {
    const { deadlineAt: _, ...kept } = preferences;
    return this.#call((id) => ({ type: "peek", id, model, prompt, preferences: kept }));
  }

  /** The router process has exited: rejects pending and further requests. */
  close(): void {
    this.#isClosed = true;
    for (const { handler } of this.#pending.values()) handler.onRefused(gatewayStops());
    this.#pending.clear();
    for (const answer of this.#answers.values()) answer.reject(gatewayStops());
    this.#answers.clear();
  }

  #call<Answer>(messageOf: (id: number) => Parameters<AcceptorChannel["send"]>[0]): Promise<Answer> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    if (this.#isClosed) answer.reject(gatewayStops());
    else {
      this.#answers.set(id, answer);
      this.#channel.send(messageOf(id));
    }
    return answer.promise as Promise<Answer>;
  }

  #onMessage(message: ToAcceptor): void {
    switch (message.type) {
      case "route":
        this.#onRoute(message);
        break;
      case "refused":
        this.#settle(message.id)?.handler.onRefused(fromErrorMessage(message.error));
        break;
      case "found":
        this.#answer(message.id, message.engine);
        break;
      case "peeked":
        this.#answer(message.id, message.kind);
        break;
      case "answer":
        this.#answer(message.id, message.answer);
        break;
      default:
        this.#onNews?.(message);
    }
  }

  #onRoute({ id, prefill, prefillHere, ...decode }: Extract<ToAcceptor, { type: "route" }>): void {
    const pending = this.#pending.get(id);
    // The request has left meanwhile; the router process was notified, and frees the route.
    if (pending === undefined) return;
    const { model, handler } = pending;
    const worker = model.member(decode.engine);
    const prefillWorker = prefill && model.member(prefill.engine);
    if (worker === undefined || (prefill !== undefined && prefillWorker === undefined)) {
      this.#applyAgain(pending, worker === undefined ? decode.engine : prefill!.engine);
      return;
    }
    this.#pending.delete(id);
    const assigned = prefill && { ...prefill, worker: prefillWorker! };
    handler.onRoute(new RemoteRoute(this.#channel, id, { ...decode, worker }, assigned, prefillHere));
  }

  /** Handles a route to a member that this process does not know yet, or no longer. */
  #applyAgain(pending: Pending, unknown: string): void {
    const { message, askedAt } = pending;
    const now = performance.now();
    const again = {
      ...message,
      leftMs: message.leftMs === undefined ? undefined : message.leftMs - (now - askedAt),
      excluded: [...message.excluded, unknown],
    };
    this.#pending.set(message.id, { ...pending, message: again, askedAt: now });
    this.#channel.send({ type: "free", id: message.id, outcome: "moved" });
    this.#channel.send({ type: "apply", ...again });
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #answer(id: number, value: unknown): void {
    this.#answers.get(id)?.resolve(value);
    this.#answers.delete(id);
  }
}
