import { seededRandom } from "#runtime";

/** A request in the format of Mooncake's traces. */
export interface TraceEntry {
  /** Milliseconds since the start. */
  timestamp: number;
  /** Tokens. */
  input_length: number;
  output_length: number;
  /** One for each 512 tokens of the prompt and the rest; equal if all tokens up to its last one are equal. */
  hash_ids: number[];
}

const TOKENS_PER_ID = 512;
const REQUESTS = 6000;
const REQUESTS_PER_SECOND = 4;
const SYSTEM_PROMPTS = 8;
const PROJECTS = 48;
const OPEN_CONVERSATIONS = 48;
/** A conversation ends when one of its branches is longer than this, in tokens. */
const LONGEST = 56_000;

/** A text and the texts before it. */
interface Text {
  before: Text | undefined;
  /** Number of tokens before it, and including it. */
  start: number;
  end: number;
  /** The ids that end in it, by the number of tokens at their end. */
  ids: Map<number, number>;
}

/**
 * A trace of forking agent conversations. Conversations about a project begin with the same documents, after a system
 * prompt that is shared with other projects. A request continues after an answer, with a message or tool result; or
 * repeats the last request for a different answer; or replaces an earlier message; or is one of several agents that
 * continue from the same point. Half of the prompts have more than 30,000 tokens.
 *
 * Deterministic for each seed.
 */
export function forkedConversations(seed = 1): TraceEntry[] {
  const random = seededRandom(seed);
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  /** Prefers the first ones. */
  const popular = <T>(of: readonly T[]) => of[Math.floor(of.length * random() ** 2)]!;
  const prompt = (least: number, most: number, before?: Text) => say(before, between(least, most));
  const message = (before: Text) => say(before, between(100, 1_800));

  let ids = 0;
  let timestamp = 0;
  const entries: TraceEntry[] = [];
  /** Adds a request, and returns its answer. */
  const ask = (message: Text): Text => {
    const answer = say(message, between(40, 500));
    timestamp -= (Math.log(1 - random()) * 1000) / REQUESTS_PER_SECOND;
    entries.push({
      timestamp: Math.round(timestamp),
      input_length: message.end,
      output_length: answer.end - answer.start,
      hash_ids: idsUpTo(message, () => ids++),
    });
    return answer;
  };

  const systemPrompts = Array.from({ length: SYSTEM_PROMPTS }, () => prompt(2_000, 8_000));
  const projects = Array.from({ length: PROJECTS }, () => prompt(6_000, 20_000, popular(systemPrompts)));
  /** The ends of the branches of each conversation: answers, or the documents before the first. */
  const conversations = Array.from({ length: OPEN_CONVERSATIONS }, () => [popular(projects)]);
  while (entries.length < REQUESTS) {
    const at = between(0, conversations.length - 1);
    const branches = conversations[at]!;
    const branch = between(0, branches.length - 1);
    const end = branches[branch]!;
    const kind = random();
    if (kind < 0.6 || !isAnswer(end)) branches[branch] = ask(message(end));
    else if (kind < 0.75) branches[branch] = ask(end.before);
    else if (kind < 0.87) branches[branch] = ask(message(back(end, between(1, 4))));
    else branches.splice(branch, 1, ...Array.from({ length: between(2, 5) }, () => ask(message(end))));
    if (branches.some((text) => text.end > LONGEST)) conversations[at] = [popular(projects)];
  }
  return entries.slice(0, REQUESTS);
}

function say(before: Text | undefined, tokens: number): Text {
  const start = before?.end ?? 0;
  return { before, start, end: start + tokens, ids: new Map() };
}

/** Documents, unlike answers, directly follow the system prompt. */
function isAnswer(text: Text): text is Text & { before: Text } {
  return text.before?.before !== undefined;
}

/** The end of the conversation this many turns ago, or its beginning. */
function back(answer: Text, turns: number): Text {
  let at = answer;
  for (; turns > 0 && isAnswer(at); turns--) at = at.before.before!;
  return at;
}

function idsUpTo(last: Text, newId: () => number): number[] {
  const ids = Array<number>(Math.ceil(last.end / TOKENS_PER_ID));
  let text = last;
  for (let i = ids.length - 1; i >= 0; i--) {
    const end = Math.min(last.end, (i + 1) * TOKENS_PER_ID);
    while (text.start >= end) text = text.before!;
    const id = text.ids.get(end) ?? newId();
    text.ids.set(end, id);
    ids[i] = id;
  }
  return ids;
}
