import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import {
  type ConnectOptions,
  type Discovery,
  type JsonValue,
  messageOf,
  PlaneError,
  randomId,
  type StoreState,
  subscribeKvEvents,
  unaryCall,
  version,
  within,
} from "#runtime";
import {
  connect,
  decodeStatus,
  examineNats,
  findsGateways,
  isKubernetes,
  openDiscovery,
  type ProcessStatus,
  statusEndpoint,
} from "#runtime/node";
import { type EventSource, examineEventStream } from "./events.ts";
import { type Finding, note, ok, type Report, reportOf, reportText, type Subject, wrong } from "./text.ts";

export interface ClusterDoctorOptions extends Pick<ConnectOptions, "tls" | "nats"> {
  /** Timeout of each step. */
  readonly timeoutMs: number;
  /** URL of the stream of KV events, if gateways take them from one. */
  readonly events?: string | undefined;
}

/** A process that has registered. */
interface Registered extends EventSource {
  readonly kind: "worker" | "gateway" | "service";
  readonly address: string;
  /** The fingerprint of the key of its private KV events. */
  readonly kvEventsKey: string | undefined;
}

/** Clocks that differ by more are worth a note, in milliseconds. */
const CLOCK_SLACK_MS = 1_000;

/** Examines a cluster from here: its store, its processes, and the ways between. */
export async function diagnoseCluster(url: string, options: ClusterDoctorOptions): Promise<Report> {
  const subjects: Subject[] = [];
  const faults: Error[] = [];
  const onError = (error: Error) => void faults.push(error);
  const onState = ({ reason = "it does not answer" }: StoreState) => onError(new Error(reason));
  let discovery: Discovery | undefined;
  try {
    discovery = await openDiscovery(url, { onError, onState, workerTls: options.tls });
  } catch (error) {
    subjects.push({
      name: "discovery",
      checks: [
        wrong(
          `It cannot be used: ${messageOf(error)}`,
          "Gateways and workers do not find each other.",
          "Check its address, that it runs, and that this host reaches it.",
        ),
      ],
    });
  }
  if (options.nats !== undefined)
    subjects.push({ name: "NATS", checks: await examineServer(options.nats, options) });
  if (discovery !== undefined) {
    // Pods are asked only when somebody wants to know.
    const inPods = isKubernetes(url) ? await registered(discovery) : undefined;
    const checks =
      inPods === undefined
        ? await examineStore(discovery, options.timeoutMs)
        : examinePods(discovery, faults);
    subjects.push({ name: "discovery", checks });
    const processes = inPods ?? (await registered(discovery));
    if (!isKubernetes(url)) checks.push(...[...new Set(faults.map(messageOf))].map((fault) => note(fault)));
    const found = await Promise.all(processes.map((each) => examineProcess(each, options)));
    subjects.push(...found.map(({ subject }) => subject));
    const statuses = found.flatMap(({ subject, status }) =>
      status === undefined ? [] : [{ name: subject.name, status }],
    );
    if (options.events !== undefined) {
      const workers = processes.filter(({ kind }) => kind === "worker");
      const checks = await examineEventStream(options.events, workers, options.timeoutMs);
      subjects.push({ name: "stream of KV events", checks });
    }
    subjects.push({ name: "together", checks: examineTogether(processes, statuses, findsGateways(url)) });
    await discovery.close();
  }
  return reportOf(subjects);
}

/** The report as text. */
export const clusterText = (report: Report) =>
  reportText(report, "All is well: everything that has registered can be reached from here.");

/** Writes, reads, watches and deletes a value under a lease, as a worker does. */
async function examineStore(discovery: Discovery, timeoutMs: number): Promise<Finding[]> {
  const key = `doctor/${randomId()}`;
  const seen = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  try {
    const since = performance.now();
    const watch = await discovery.watch("doctor/", (event) => {
      if (event.type === "put" && event.key === key) seen.resolve();
      if (event.type === "delete" && event.key === key) gone.resolve();
    });
    const lease = await discovery.lease({ ttlMs: 10_000 });
    await discovery.put(key, { at: Date.now() }, lease);
    await answeredWithin(timeoutMs, seen.promise, "A value that was written did not come back");
    const ms = Math.round(performance.now() - since);
    await lease.revoke();
    await answeredWithin(timeoutMs, gone.promise, "A value outlived its lease");
    watch.close();
    return [
      ok("It can be reached."),
      ok(`It can be written, and tells of changes (${ms} ms for a lease, a value and its watch).`),
      ok("A value ends with its lease."),
    ];
  } catch (error) {
    return [
      wrong(
        `It does not do what a cluster needs: ${messageOf(error)}`,
        "Processes that join or leave are not noticed.",
        "Check its log, its disk, and whether this user may write there.",
      ),
    ];
  }
}

/** What a gateway here finds in the cluster's pods. */
function examinePods({ isReachable }: Discovery, faults: readonly Error[]): Finding[] {
  if (isReachable)
    return [
      ok("The API server lists the workers' pods."),
      ...faults.map(({ message }) =>
        wrong(message, "It gets no requests from gateways here.", "Look at its log, and check the port."),
      ),
    ];
  return [
    wrong(
      `The API server does not list the workers' pods. ${faults.map(({ message }) => message).join(" ")}`,
      "Workers that join or leave are not noticed.",
      "Use the role in docs/kubernetes.md, and check that this host reaches the API server.",
    ),
  ];
}

async function examineServer(url: string, { timeoutMs }: ClusterDoctorOptions): Promise<Finding[]> {
  try {
    const { roundTripMs, hasJetStream } = await examineNats(url, timeoutMs);
    const answers = ok(`It answers within ${Math.ceil(roundTripMs)} ms.`);
    if (hasJetStream) return [answers, ok("It has JetStream.")];
    const cost = "It serves requests at nats:, but cannot be the discovery.";
    return [answers, note("It has no JetStream.", `${cost} Start it with nats-server -js.`)];
  } catch (error) {
    return [
      wrong(
        `It cannot be used: ${messageOf(error)}`,
        "Workers at nats: cannot be reached.",
        "Check its address, that it runs, and the user or token in its URL.",
      ),
    ];
  }
}

const placeSchema = z.object({
  id: z.string(),
  name: z.string().optional(),
  address: z.string(),
  kvEventsSubject: z.string().optional(),
  kvEventsKey: z.string().optional(),
});

async function registered(discovery: Discovery): Promise<Registered[]> {
  const kinds = { "instances/": "worker", "gateways/": "gateway", "services/": "service" } as const;
  const lists = await Promise.all(
    Object.entries(kinds).map(async ([prefix, kind]) => placesIn(await discovery.get(prefix), kind)),
  );
  return lists.flat();
}

function placesIn(entries: ReadonlyMap<string, JsonValue>, kind: Registered["kind"]): Registered[] {
  return [...entries].map(([key, value]) => {
    const place = placeSchema.safeParse(value).data;
    const { name, id, address = "", kvEventsSubject, kvEventsKey } = place ?? {};
    return { kind, name: name ?? id ?? key, address, kvEventsSubject, kvEventsKey };
  });
}

/** Connects to a process as a gateway does, and asks it what it is. */
async function examineProcess(
  { kind, name, address }: Registered,
  { tls, nats, timeoutMs }: ClusterDoctorOptions,
): Promise<{ subject: Subject; status: ProcessStatus | undefined }> {
  const checks: Finding[] = [];
  const subject = { name: `${kind} ${name}`, checks };
  if (address === "") {
    checks.push(
      wrong(
        "Its registration is unreadable.",
        "It is not used.",
        "It may be of a much newer version, or something else may write there.",
      ),
    );
    return { subject, status: undefined };
  }
  try {
    const client = await connect(address, { connectTimeoutMs: timeoutMs, tls, nats });
    checks.push(ok(`It can be reached from here at ${address}.`));
    const since = Date.now();
    const status = await statusOf(client, timeoutMs);
    const middle = (since + Date.now()) / 2;
    if (status === undefined) checks.push(note("It does not say which version it is: it is an older one."));
    else checks.push(...examineClock(status.time - middle));
    if (kind === "worker") checks.push(await examineEvents(client, timeoutMs));
    client.close();
    return { subject, status };
  } catch (error) {
    const reason = messageOf(error);
    const cost =
      kind === "gateway" ? "Gateways here do not know its load." : "It gets no requests from gateways here.";
    const fix = adviceOn(kind, address, reason);
    checks.push(wrong(`It cannot be reached from here. ${reason}`, cost, fix));
    return { subject, status: undefined };
  }
}

/** How to make a process reachable from here. */
function adviceOn(kind: Registered["kind"], address: string, reason: string): string {
  const prefix = kind === "gateway" ? "--peer-" : "--";
  if (/certificate|\b(tls|ssl)\b/i.test(reason))
    return kind === "gateway"
      ? "Its certificate must be one of a server too, with this host name or address, from an authority in --worker-ca."
      : "Check its --tls-cert and --tls-client-ca, and --worker-ca, --worker-tls-cert and --worker-tls-name here.";
  if (/^(unix|memory):/.test(address))
    return `Its address is of one machine only: start it with ${prefix}listen tcp:HOST:PORT.`;
  if (/:(127\.|localhost|\[::1\])/.test(address))
    return `Check that it runs. If it is on another host, start it with ${prefix}listen tcp:0.0.0.0:PORT, or set ${prefix}advertise.`;
  return `Check that it runs, open its port between the hosts, or set ${prefix}advertise to an address that they reach.`;
}

function examineClock(offsetMs: number): Finding[] {
  if (Math.abs(offsetMs) <= CLOCK_SLACK_MS) return [];
  const seconds = Math.round(Math.abs(offsetMs) / 100) / 10;
  const text = `Its clock is ${seconds} s ${offsetMs > 0 ? "ahead of" : "behind"} the one here.`;
  return [note(text, "Logs are hard to compare. Nothing else depends on clocks.")];
}

/** Whether a worker's KV events come: the first thing that it sends is its cache as it is. */
async function examineEvents(
  client: Parameters<typeof subscribeKvEvents>[0],
  timeoutMs: number,
): Promise<Finding> {
  const outcome = Promise.withResolvers<"flow" | "none">();
  const subscription = subscribeKvEvents(client, {
    onCleared: () => {},
    onPayload: () => outcome.resolve("flow"),
    onEnd: (error) => {
      if (error?.code === "unknown_endpoint") outcome.resolve("none");
      else outcome.reject(error ?? new Error("the stream of events has ended"));
    },
  });
  const settled = untilPosition(subscription);
  try {
    const result = await answeredWithin(
      timeoutMs,
      Promise.race([outcome.promise, settled]),
      "No KV event has come",
    );
    return result === "none"
      ? note("It publishes no KV events: what its cache holds is predicted.")
      : ok("Its KV events can be followed.");
  } catch (error) {
    return wrong(
      `Its KV events do not come: ${messageOf(error)}`,
      "Requests are not routed by what its cache holds.",
      "Look at its log; restart it.",
    );
  } finally {
    subscription.close();
  }
}

/** A worker with an empty cache sends no batch, but it has a position. */
async function untilPosition(subscription: ReturnType<typeof subscribeKvEvents>): Promise<"flow"> {
  while (subscription.position === undefined) await sleep(20);
  return "flow";
}

const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function examineTogether(
  processes: readonly Registered[],
  statuses: readonly { readonly name: string; readonly status: ProcessStatus }[],
  mayHaveGateways: boolean,
): Finding[] {
  const count = (kind: Registered["kind"]) => processes.filter((each) => each.kind === kind).length;
  const checks: Finding[] = [];
  const [workers, gateways] = [count("worker"), count("gateway")];
  if (workers + count("service") === 0)
    checks.push(note("No worker has registered.", "Gateways have nothing to send requests to."));
  if (gateways === 0 && mayHaveGateways)
    checks.push(note("No gateway has registered.", "Gateways with --peer-listen none do not."));
  if (workers > 0 || gateways > 0)
    checks.push(ok(`${counted(workers, "worker")} and ${counted(gateways, "gateway")} have registered.`));
  const others = statuses.filter(({ status }) => status.version !== version);
  if (others.length === 0) checks.push(ok(`All are of version ${version}, as this doctor.`));
  else
    checks.push(
      note(
        `Versions differ: here ${version}; ${others.map(({ name, status }) => `${name} ${status.version}`).join(", ")}.`,
        "One version older or newer works. Update the rest soon.",
      ),
    );
  return [...checks, ...examineKeys(processes)];
}

/** Whether all private KV events have one key. */
function examineKeys(processes: readonly Registered[]): Finding[] {
  const readers = processes.filter(({ kind }) => kind !== "service");
  const byKey = Map.groupBy(readers, ({ kvEventsKey }) => kvEventsKey);
  const without = byKey.get(undefined) ?? [];
  byKey.delete(undefined);
  const [first] = byKey;
  if (first === undefined) return [];
  const namesOf = (all: readonly Registered[]) => all.map(({ kind, name }) => `${kind} ${name}`).join(", ");
  const checks: Finding[] = [];
  const blind = without.filter(({ kind }) => kind === "gateway");
  const open = without.filter(({ kind }) => kind === "worker");
  if (byKey.size > 1 || blind.length > 0) {
    const keys = [...byKey].map(([key, all]) => `${key} (${namesOf(all)})`);
    if (blind.length > 0) keys.push(`none (${namesOf(blind)})`);
    checks.push(
      wrong(
        `Private KV events have ${byKey.size === 1 ? "one key, which not all gateways have" : `${byKey.size} keys`}: ${keys.join(", ")}.`,
        "A gateway reads those of its own key, and only predicts what the other workers hold.",
        "Start all workers and gateways with the same --kv-events-key.",
      ),
    );
  } else checks.push(ok(`All private KV events have one key, ${first[0]}.`));
  if (open.length > 0)
    checks.push(
      note(
        `Beside private ones, some workers have no key: ${namesOf(open)}.`,
        "If they publish KV events, these carry the tokens of prompts. Start them with --kv-events-key.",
      ),
    );
  return checks;
}

/** @returns undefined if the process is of a version without the endpoint `status` */
async function statusOf(
  client: Awaited<ReturnType<typeof connect>>,
  deadlineMs: number,
): Promise<ProcessStatus | undefined> {
  try {
    return decodeStatus(await unaryCall(client, statusEndpoint, new Uint8Array(0), { deadlineMs }));
  } catch (error) {
    if (error instanceof PlaneError && error.code === "unknown_endpoint") return undefined;
    throw error;
  }
}

const answeredWithin = <Value>(ms: number, promise: Promise<Value>, what: string): Promise<Value> =>
  within(ms, promise, () => new PlaneError("deadline_exceeded", `${what} within ${ms / 1000} s.`));
