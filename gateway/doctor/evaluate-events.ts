import type { Evidence } from "./evidence.ts";
import type { Check, CheckId } from "./types.ts";

const GUESSED =
  "The gateway can only predict what its cache holds, from the requests it has sent: predictions are wrong after evictions, and if other clients use the engine too.";
const UNKNOWN_CACHE =
  "The gateway never learns what its cache holds, so requests go to engines that have to recompute their prompts.";

/** Checks KV events: whether the engine publishes them, whether they arrive, and whether they are usable. */
export function evaluateEvents(evidence: Evidence): Check[] {
  const announced = evaluateAnnounced(evidence);
  if (announced.status !== "ok") return [announced];
  const steps = [
    evaluateConnection,
    evaluateArrival,
    evaluateReadable,
    evaluateBlockSize,
    evaluateTokens,
    evaluatePrediction,
  ];
  const checks = [announced];
  for (const step of steps) {
    const check = step(evidence);
    if (check === undefined) continue;
    checks.push(check);
    // Later steps depend on this one.
    if (check.status === "problem" || check.status === "skipped") break;
  }
  return checks;
}

function evaluateAnnounced({ profile, sources }: Evidence): Check {
  const id = "kv-events";
  if (profile.hasPrefixCaching === false)
    return skipped(id, "Without prefix caching, it has no KV events to publish.");
  if (sources.length > 0) {
    if (sources.some(({ kind }) => kind === "poll"))
      return skipped(
        id,
        "Its KV events are polled, and each can be read only once. They were not read, as a gateway would miss them.",
      );
    const places = sources.flatMap((source) => (source.kind === "zmq" ? [source.endpoint] : []));
    return ok(id, `It reports that it publishes what its cache holds (KV events) at ${places.join(", ")}.`);
  }
  const flag = profile.limitations.find(({ code }) => code === "kv-events")?.flag;
  return {
    id,
    status: flag === undefined ? "note" : "problem",
    text: "It does not publish what its cache holds (no KV events).",
    cost: GUESSED,
    fix: flag === undefined ? "This kind of engine has no KV events." : "Turn on its KV events.",
    flag,
  };
}

function evaluateConnection({ sources, events }: Evidence): Check {
  const id = "kv-events-connection";
  if (events?.isConnected) return ok(id, "The address of its KV events can be reached.");
  const places = sources.flatMap((source) => (source.kind === "zmq" ? [source.endpoint] : []));
  return {
    id,
    status: "problem",
    text: `The address of its KV events cannot be reached from here: ${places.join(", ")}.`,
    cost: UNKNOWN_CACHE,
    fix: "Make the engine publish on an address and port that this machine can connect to (check firewall and container ports), or give the right one with --kv-events tcp://HOST:PORT.",
  };
}

function evaluateArrival({ events, first, blockSize }: Evidence): Check {
  const id = "kv-events-arrive";
  if (first === undefined)
    return skipped(id, "No KV event could be expected: the test request was not answered.");
  if (events !== undefined && events.stored.length > 0)
    return ok(id, "A KV event arrived for the test request.");
  const came =
    events !== undefined && events.batches > 0 ? "Messages arrived, but none for" : "No KV event arrived for";
  return {
    id,
    status: "problem",
    text: `${came} the test request within ${events?.waitedSeconds ?? 0} s, although it filled at least ${FEW} blocks of ${blockSize} tokens.`,
    cost: UNKNOWN_CACHE,
    fix: "Check whether something else publishes at that address, whether the topic is right, and whether the engine's log shows errors with KV events.",
  };
}

const FEW = 4;

/** @returns undefined if all events can be read, which is the normal case */
function evaluateReadable({ events }: Evidence): Check | undefined {
  const [first] = events?.unreadable ?? [];
  if (events === undefined || first === undefined) return undefined;
  return {
    id: "kv-events-readable",
    status: "note",
    text: `${events.unreadable.length} of its KV events could not be read: ${first}.`,
    cost: "The gateway misses these changes to its cache.",
    fix: "Please report this with the engine's version and the output of --json.",
  };
}

function evaluateBlockSize({ name, spec, blockSize, configuredBlockSize, profile }: Evidence): Check {
  const id = "block-size";
  if (blockSize === configuredBlockSize)
    return ok(id, `Its KV blocks have ${blockSize} tokens, as the router assumes.`);
  const configured =
    spec.blockSize !== undefined
      ? `it is configured with ${spec.blockSize}`
      : profile.blockSize !== undefined
        ? `it reports ${profile.blockSize}`
        : "it does not report its block size";
  return {
    id,
    status: "note",
    text: `Its KV events have blocks of ${blockSize} tokens, although ${configured}: the router uses the events' size.`,
    cost: "The router starts over when the first event arrives.",
    fix: `Set the right size in stator.yaml: engines: [{url: …, name: ${name}, block-size: ${blockSize}}].`,
  };
}

function evaluateTokens({
  reader,
  prompt,
  first,
  engineTokens,
  events,
  blockSize,
  profile,
}: Evidence): Check {
  const id = "tokens";
  if (!reader.isExact) {
    const flag = profile.limitations.find(({ code }) => code === "tokenizer")?.flag;
    return {
      id,
      status: "problem",
      text: `The gateway has no tokenizer for this model (it compares prompts by ${reader.source}), so it cannot match them with KV events.`,
      cost: UNKNOWN_CACHE,
      fix: "Give the gateway the folder with the model's tokenizer.json: --tokenizer DIR.",
      flag,
    };
  }
  const mine = prompt.tokens.length;
  const theirs = engineTokens?.length ?? first?.promptTokens;
  const isOther =
    engineTokens === undefined
      ? events?.knownBlocks === 0 && theirs !== undefined
      : !isSame(engineTokens, prompt.tokens);
  if (isOther)
    return {
      id,
      status: "problem",
      text:
        theirs === mine
          ? `The engine turns the test prompt into different tokens than the gateway, though equally many (from ${reader.source}).`
          : `The engine turns the test prompt into ${theirs} tokens, the gateway into ${mine} (from ${reader.source}).`,
      cost: UNKNOWN_CACHE,
      fix: TOKENIZER_FIX,
    };
  const blocks = Math.floor(prompt.tokens.length / blockSize);
  return ok(
    id,
    `Engine and gateway turn the test prompt into the same ${blocks} blocks of tokens (${reader.source}).`,
  );
}

const TOKENIZER_FIX =
  "Give the gateway the tokenizer and chat template of exactly the model that the engine serves: --tokenizer DIR. If the engine was started with its own chat template (--chat-template), it must be in DIR too.";

function evaluatePrediction({ events, prompt, blockSize }: Evidence): Check {
  const id = "prediction";
  const wanted = Math.floor(prompt.tokens.length / blockSize);
  const known = events?.knownBlocks ?? 0;
  if (known >= wanted)
    return ok(id, `From its KV events, the router knows that it holds ${known} of ${wanted} blocks.`);
  return {
    id,
    status: "problem",
    text: `From its KV events, the router knows only ${known} of the ${wanted} blocks that it must hold.`,
    cost: "The router does not recognize requests with a shared prefix, and may send them to an engine that has to recompute it.",
    fix: "Check whether the engine is so busy that it evicts blocks at once (too few KV blocks); if not, please report this with the output of --json.",
  };
}

const ok = (id: CheckId, text: string): Check => ({ id, status: "ok", text });
const skipped = (id: CheckId, text: string): Check => ({ id, status: "skipped", text });

function isSame(one: Uint32Array, other: Uint32Array): boolean {
  return one.length === other.length && one.every((token, index) => token === other[index]);
}
