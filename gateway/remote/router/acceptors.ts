import { type Logger, type MetricsSnapshot, mergeMetrics } from "#runtime";
import type { Access } from "../../access/guard.ts";
import { toApiError } from "../../kernel/errors.ts";
import { fromAskedRequest, toAskedAnswer } from "../conversions.ts";
import type { AskedAnswer, AskedRequest, RouterChannel, ToAcceptor } from "../messages.ts";
import { AcceptorSession, type GroupMessage, type RoutingGateway } from "./session.ts";

/** Timeout for an acceptor's metrics, in milliseconds. */
const METRICS_MS = 1_000;

/** The gateway to which the acceptors belong. */
interface AcceptedGateway extends RoutingGateway {
  readonly access: Access;
  fetch(request: Request): Response | Promise<Response>;
}

interface Member {
  readonly session: AcceptorSession;
  /** Its requests in flight. */
  inflight: number;
  /** Its latest metrics. */
  metrics: MetricsSnapshot;
  /** Pending reads of its metrics, by id. */
  readonly questions: Map<number, () => void>;
}

/** The acceptors of one gateway, and what they share: routes, rate limits, the limit in flight, and metrics. */
export class Acceptors {
  readonly #members = new Set<Member>();
  /** Counts of acceptors that have exited: a sum that drops would look like a counter reset. */
  #past: MetricsSnapshot = [];
  #lastQuestion = 0;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Adds an acceptor.
   * @returns a function to call when it has exited
   */
  join(channel: RouterChannel, gateway: AcceptedGateway): () => void {
    const { keys } = gateway.access;
    const session = new AcceptorSession(channel, gateway, {
      onGroup: (message) => this.#take(member, message, gateway),
      onFault: (message, error) =>
        this.#log.error("cannot handle a message from an acceptor", { message, error }),
    });
    const member: Member = { session, inflight: 0, metrics: [], questions: new Map() };
    this.#members.add(member);
    for (const use of keys?.uses() ?? []) channel.send({ type: "used", ...use });
    this.#sendInflight();
    return () => {
      this.#leave(member).catch((error) => this.#log.error("cannot keep an acceptor's metrics", { error }));
    };
  }

  /** The metrics of all acceptors, including those that have exited. */
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
    this.#sendInflight();
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
        this.#sendInflight(member);
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

  /** Always returns an answer, because the acceptor waits for it. */
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

  /** @param except the member that reported the change */
  #sendInflight(except?: Member): void {
    let sum = 0;
    for (const { inflight } of this.#members) sum += inflight;
    for (const member of this.#members) {
      if (member === except) continue;
      member.session.channel.send({ type: "inflight-elsewhere", count: sum - member.inflight });
    }
  }

  #sendOthers(from: Member, message: ToAcceptor): void {
    for (const member of this.#members) if (member !== from) member.session.channel.send(message);
  }
}

/** Types of metrics whose values only increase. */
const COUNTED = new Set(["counter", "histogram"]);
