import { messageOf, within } from "#runtime";
import { NatsKvEvents } from "#runtime/node";
import { type Finding, note, ok, wrong } from "./text.ts";

/** A worker that may publish its KV events to a stream. */
export interface EventSource {
  readonly name: string;
  /** Where it does, as it says in discovery. */
  readonly kvEventsSubject: string | undefined;
}

/** How far a stream may be behind a worker: it confirms batches every second. */
const MOST_BEHIND = 1_000;

/** Examines the stream of `--events nats://…`: whether it exists, which workers publish there, and how far it is. */
export async function examineEventStream(
  url: string,
  workers: readonly EventSource[],
  timeoutMs: number,
): Promise<Finding[]> {
  let stream: NatsKvEvents | undefined;
  try {
    stream = await NatsKvEvents.open(url, { creates: false });
    const report = await stream.report();
    if (report === undefined)
      return [note("It does not exist yet.", "The first worker or gateway with --events creates it.")];
    const { stream: name, messages, bytes } = report;
    const found = await Promise.all(workers.map((worker) => examineSource(stream!, worker, timeoutMs)));
    return [ok(`It exists: ${name}, with ${messages} messages in ${sizeOf(bytes)}.`), ...found];
  } catch (error) {
    return [
      wrong(
        `It cannot be used: ${messageOf(error)}`,
        "Each gateway takes the KV events from the workers instead.",
        "Check its address, that it runs with JetStream (nats-server -js), and the user or token in its URL.",
      ),
    ];
  } finally {
    stream?.close();
  }
}

/** A number of bytes in the unit that suits it. */
function sizeOf(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

async function examineSource(
  stream: NatsKvEvents,
  { name, kvEventsSubject: subject }: EventSource,
  timeoutMs: number,
): Promise<Finding> {
  const viaPlane = "Each gateway takes its KV events from it over the request plane.";
  if (subject === undefined) return note(`The worker ${name} does not publish there.`, viaPlane);
  if (stream.epochOf(subject) === undefined)
    return note(`The worker ${name} publishes to another stream, at ${subject}.`, viaPlane);
  const heard = Promise.withResolvers<number>();
  const stop = stream.subscribe(subject, {
    onHead: heard.resolve,
    onMessage: () => {},
    onState: () => {},
  });
  try {
    const head = await within(
      timeoutMs,
      heard.promise,
      () => new Error(`it says nothing for ${timeoutMs / 1000} s`),
    );
    const behind = Math.max(0, head - 1 - (await stream.lastNumber(subject)));
    const text = `The worker ${name} publishes there: ${head} batches, of which ${behind} have not arrived yet.`;
    return behind > MOST_BEHIND
      ? note(text, "A gateway that starts now asks the worker for them.")
      : ok(text);
  } catch (error) {
    return wrong(
      `The worker ${name} cannot be heard there: ${messageOf(error)}`,
      viaPlane,
      "Its log says why its KV events do not reach NATS.",
    );
  } finally {
    stop();
  }
}
