import type { Evidence } from "./evidence.ts";
import type { Check, CheckId } from "./types.ts";

const GUESSED =
  "The gateway can only guess what its cache holds, from what it has sent there itself: guesses are wrong after evictions, and when anybody else sends requests to it.";
const UNKNOWN_CACHE =
  "The gateway never learns what its cache holds, so requests go to engines that have to compute their prompts anew.";

/** Everything about KV events: whether there are any, whether they come, and whether they can be understood. */
export function judgeEvents(evidence: Evidence): Check[] {
  const announced = judgeAnnounced(evidence);
  if (announced.status !== "ok") return [announced];
  const steps = [judgeConnection, judgeArrival, judgeReadable, judgeBlockSize, judgeTokens, judgePrediction];
  const checks = [announced];
  for (const step of steps) {
    const check = step(evidence);
    if (check === undefined) continue;
    checks.push(check);
    // What comes after depends on it.
    if (check.status === "problem" || check.status === "skipped") break;
  }
  return checks;
}

function judgeAnnounced({ profile, sources }: Evidence): Check {
  const id = "kv-events";
  if (profile.hasPrefixCaching === false)
    return skipped(id, "Without prefix caching it has nothing to tell of (KV events).");
  if (sources.length > 0) {
    if (sources.some(({ kind }) => kind === "poll"))
      return skipped(
        id,
        "It hands out KV events to whoever asks. They were not asked for here: a gateway would miss them.",
      );
    const places = sources.flatMap((source) => (source.kind === "zmq" ? [source.endpoint] : []));
    return ok(id, `It says that it tells what its cache holds (KV events), at ${places.join(", ")}.`);
  }
  const flag = profile.limitations.find(({ code }) => code === "kv-events")?.flag;
  return {
    id,
    status: flag === undefined ? "note" : "problem",
    text: "It does not tell what its cache holds (it publishes no KV events).",
    cost: GUESSED,
    fix: flag === undefined ? "This kind of engine has no KV events." : "Turn its KV events on.",
    flag,
  };
}

function judgeConnection({ sources, events }: Evidence): Check {
  const id = "kv-events-connection";
  if (events?.isConnected) return ok(id, "The address of its KV events can be reached.");
  const places = sources.flatMap((source) => (source.kind === "zmq" ? [source.endpoint] : []));
  return {
    id,
    status: "problem",
    text: `The address of its KV events cannot be reached from here: ${places.join(", ")}.`,
    cost: UNKNOWN_CACHE,
    fix: "Let the engine publish on an address and port that this machine can connect to (firewall, container ports), or tell the right one with --kv-events tcp://HOST:PORT.",
  };
}

function judgeArrival({ events, first, blockSize }: Evidence): Check {
  const id = "kv-events-arrive";
  if (first === undefined)
    return skipped(id, "No KV event could be waited for: no test request was answered.");
  if (events !== undefined && events.stored.length > 0)
    return ok(id, "A KV event came for the test request.");
  const came =
    events !== undefined && events.batches > 0 ? "Messages came, but none of" : "No KV event came for";
  return {
    id,
    status: "problem",
    text: `${came} the test request, within ${events?.waitedSeconds ?? 0} s, though it filled at least ${FEW} blocks of ${blockSize} tokens.`,
    cost: UNKNOWN_CACHE,
    fix: "Look whether something else publishes at that address, whether the topic is right, and whether the engine's log tells of errors in its KV events.",
  };
}

const FEW = 4;

/** Nothing is said where all can be read, as usual. */
function judgeReadable({ events }: Evidence): Check | undefined {
  const [first] = events?.unreadable ?? [];
  if (events === undefined || first === undefined) return undefined;
  return {
    id: "kv-events-readable",
    status: "note",
    text: `${events.unreadable.length} of its KV events could not be read: ${first}.`,
    cost: "What they told of is missing from what the gateway knows of its cache.",
    fix: "Please report this, with the engine's version and the output of --json.",
  };
}

function judgeBlockSize({ name, spec, blockSize, toldBlockSize, profile }: Evidence): Check {
  const id = "block-size";
  if (blockSize === toldBlockSize)
    return ok(id, `Its KV blocks have ${blockSize} tokens, as the router takes them.`);
  const told =
    spec.blockSize !== undefined
      ? `you say ${spec.blockSize}`
      : profile.blockSize !== undefined
        ? `it tells ${profile.blockSize}`
        : "it does not tell its block size";
  return {
    id,
    status: "note",
    text: `Its KV events are of blocks of ${blockSize} tokens, though ${told}: the router takes the size of the events.`,
    cost: "The router begins anew when the first event comes.",
    fix: `Tell the gateway from the start, in stator.yaml: engines: [{url: …, name: ${name}, block-size: ${blockSize}}].`,
  };
}

function judgeTokens({ reader, prompt, first, engineTokens, events, blockSize, profile }: Evidence): Check {
  const id = "tokens";
  if (!reader.isExact) {
    const flag = profile.limitations.find(({ code }) => code === "tokenizer")?.flag;
    return {
      id,
      status: "problem",
      text: `The gateway has no tokenizer for this model (it compares prompts by ${reader.source}), so it cannot match them with KV events.`,
      cost: UNKNOWN_CACHE,
      fix: "Give the gateway the model's tokenizer: --tokenizer DIR, the folder with its tokenizer.json.",
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
          ? `Of the same prompt, the engine makes other tokens than the gateway, though as many (from ${reader.source}).`
          : `Of the same prompt, the engine makes ${theirs} tokens, the gateway ${mine} (from ${reader.source}).`,
      cost: UNKNOWN_CACHE,
      fix: TOKENIZER_FIX,
    };
  const blocks = Math.floor(prompt.tokens.length / blockSize);
  return ok(
    id,
    `Engine and gateway make the same ${blocks} blocks of tokens of the test prompt (${reader.source}).`,
  );
}

const TOKENIZER_FIX =
  "Give the gateway the tokenizer and chat template of the very model that the engine serves: --tokenizer DIR. If the engine was started with a chat template of its own (--chat-template), that must be in DIR too.";

function judgePrediction({ events, prompt, blockSize }: Evidence): Check {
  const id = "prediction";
  const wanted = Math.floor(prompt.tokens.length / blockSize);
  const known = events?.knownBlocks ?? 0;
  if (known >= wanted)
    return ok(id, `From its KV events, the router knows that it holds ${known} of ${wanted} blocks.`);
  return {
    id,
    status: "problem",
    text: `From its KV events, the router knows of only ${known} of the ${wanted} blocks that it must hold.`,
    cost: "Requests that begin alike are not told from others, and may go to an engine that has to compute them anew.",
    fix: "Look whether the engine is so busy that it evicts blocks at once (too few KV blocks); else please report this, with the output of --json.",
  };
}

const ok = (id: CheckId, text: string): Check => ({ id, status: "ok", text });
const skipped = (id: CheckId, text: string): Check => ({ id, status: "skipped", text });

function isSame(one: Uint32Array, other: Uint32Array): boolean {
  return one.length === other.length && one.every((token, index) => token === other[index]);
}
