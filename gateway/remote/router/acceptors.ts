import { type Logger, type MetricsSnapshot, mergeMetrics } from "#runtime";
import type { Access } from "../../access/guard.ts";
import { toApiError } from "../../kernel/errors.ts";
import { fromAskedRequest, toAskedAnswer } from "../conversions.ts";
import type { AskedAnswer, AskedRequest, RouterChannel, ToAcceptor } from "../messages.ts";
import { AcceptorSession, type GroupMessage, type RoutingGateway } from "./session.ts";

/** How long an acceptor may take to tell its metrics, in milliseconds. */
const METRICS_MS = 1_000;

/** The gateway that the acceptors are of. */
interface AcceptedGateway extends RoutingGateway {
  readonly access: Access;
  fetch(request: Request): Response | Promise<Response>;
}

interface Member {
  readonly session: AcceptorSession;
  /** Requests that it is answering. */
  inflight: number;
  /** What it told last of its metrics. */
  metrics: MetricsSnapshot;
  /** Who waits for its metrics, by the question's id. */
  readonly questions: Map<number, () => void>;
}

/** The acceptors of one gateway, and what they share: routes, keys' limits, places and metrics. */
export class Acceptors {
  readonly #members = new Set<Member>();
  /** Counts of acceptors that have ended: a sum that falls would look like one that has begun anew. */
  #past: MetricsSnapshot = [];
  #lastQuestion = 0;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * An acceptor has come.
   * @returns to be called when it has gone
   */
  join(channel: RouterChannel, gateway: AcceptedGateway): () => void {
    const { keys } = gateway.access;
    const session = new AcceptorSession(channel, gateway, {
      onGroup: (message) => this.#take(member, message, gateway),
      onFault: (message, error) => this.#log.error("cannot act on an acceptor's message", { message, error }),
    });
    const member: Member = { session, inflight: 0, metrics: [], questions: new Map() };
    this.#members.add(member);
    for (const use of keys?.uses() ?? []) channel.send({ type: "used", ...use });
    this.#tellInflight();
    return () => {
      this.#leave(member).catch((error) => this.#log.error("cannot keep an acceptor's metrics", { error }));
    };
  }

  /** What every acceptor has measured, now and in those before it. */
  async metrics(): Promise<MetricsSnapshot[]> {
    await Promise.all(Array.from(this.#members, (member) => this.#readMetrics(member)));
    return [this.#past, ...Array.from(this.#members, ({ metrics }) => metrics)];
  }

  beginDrain(): void {
    for (const { session } of this.#members) session.channel.send({ type: "draining" });
  }

  async #leave(member: Member): Promise<void> {
    member.session.close();
    this.#members.delete(member);
    for (const resolve of member.questions.values()) resolve();
    this.#tellInflight();
    const counts = member.metrics.filter(({ type }) => COUNTED.has(String(type)));
    this.#past = (await mergeMetrics([this.#past, counts])).snapshot;
  }

  #take(member: Member, message: GroupMessage, gateway: AcceptedGateway): void {
    switch (message.type) {
      case "ask":
        void this.#ask(member, message, gateway);
        break;
      case "used":
        gateway.access.keys?.useElsewhere(message);
        this.#sendOthers(member, message);
        break;
      case "inflight":
        member.inflight = message.count;
        this.#tellInflight(member);
        break;
      case "metrics":
        member.metrics = message.metrics;
        member.questions.get(message.id)?.();
        break;
    }
  }

  async #ask(
    { session }: Member,
    { id, request }: Extract<GroupMessage, { type: "ask" }>,
    gateway: AcceptedGateway,
  ): Promise<void> {
    session.channel.send({ type: "answer", id, answer: await this.#answer(request, gateway) });
  }

  /** Whatever becomes of it, the acceptor is answered: it waits. */
  async #answer(request: AskedRequest, gateway: AcceptedGateway): Promise<AskedAnswer> {
    try {
      return await toAskedAnswer(await gateway.fetch(fromAskedRequest(request)));
    } catch (error) {
      const { method } = request;
      this.#log.error("cannot answer an acceptor's request", { method, error });
      return await toAskedAnswer(Response.json(toApiError(error), { status: 500 }));
    }
  }

  async #readMetrics({ session, questions }: Member): Promise<void> {
    const id = ++this.#lastQuestion;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, METRICS_MS);
      questions.set(id, () => {
        clearTimeout(timer);
        resolve();
      });
      session.channel.send({ type: "read-metrics", id });
    });
    questions.delete(id);
  }

  /** @param but the one that knows */
  #tellInflight(but?: Member): void {
    let sum = 0;
    for (const { inflight } of this.#members) sum += inflight;
    for (const member of this.#members) {
      if (member === but) continue;
      member.session.channel.send({ type: "inflight-elsewhere", count: sum - member.inflight });
    }
  }

  #sendOthers(from: Member, message: ToAcceptor): void {
    for (const member of this.#members) if (member !== from) member.session.channel.send(message);
  }
}

/** Kinds of metrics whose values only rise. */
const COUNTED = new Set(["counter", "histogram"]);
