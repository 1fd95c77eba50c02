import type { Context } from "hono";
import { randomId } from "#runtime";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { readPrompts } from "../openai/prompts.ts";
import { cosineSimilarity } from "../openai/vector-math.ts";
import { answerFromVectors } from "../openai/vectors.ts";
import { readRanking } from "./read-request.ts";
import { type ScoreRequest, scoreRequest } from "./schemas.ts";

/** `POST /v1/score` */
export async function score(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
  hasOthers: boolean,
): Promise<Response> {
  const { model, body } = readRanking(context, dependencies, scoreRequest, raw);
  const [first, second] = textsOf(body);
  const [left, right] = await Promise.all([
    readPrompts(first.texts, model, first.name),
    readPrompts(second.texts, model, second.name),
  ]);
  return answerFromVectors(context, dependencies, {
    endpoint: "score",
    model,
    body,
    inputs: [...left, ...right],
    hasOthers,
    answer(vectors, usage) {
      const others = vectors.slice(left.length);
      const data = others.map((other, index) => ({
        index,
        object: "score",
        score: cosineSimilarity(vectors[left.length === 1 ? 0 : index]!, other),
      }));
      const created = Math.floor(Date.now() / 1000);
      return { id: `score-${randomId()}`, object: "list", created, model: model.card.name, data, usage };
    },
  });
}

/** The names of the texts to compare, as vLLM accepts them. */
const NAMES = [
  ["text_1", "text_2"],
  ["data_1", "data_2"],
  ["queries", "documents"],
  ["queries", "items"],
] as const;

type Name = (typeof NAMES)[number][number];

/** Texts under the name that the request gives them. */
export interface NamedTexts {
  readonly name: Name;
  readonly texts: string | string[];
}

/**
 * The texts to compare.
 * @throws ApiError 400 if one is missing, there are others, or their numbers do not match
 */
export function textsOf(body: ScoreRequest): [NamedTexts, NamedTexts] {
  const given = new Map<Name, string | string[]>();
  for (const name of new Set(NAMES.flat())) {
    const texts = body[name];
    if (texts !== undefined && texts !== null) given.set(name, texts);
  }
  // A name without its partner asks for that one.
  const [firstName, secondName] =
    NAMES.find((pair) => pair.every((name) => given.has(name))) ??
    NAMES.find((pair) => pair.some((name) => given.has(name))) ??
    NAMES[0];
  const take = (name: Name): NamedTexts => {
    const texts = given.get(name);
    if (texts === undefined) throw missing(name);
    given.delete(name);
    return { name, texts };
  };
  const first = take(firstName);
  const second = take(secondName);
  for (const name of given.keys()) {
    throw invalidRequest(
      `'${name}' is one too many: '${first.name}' and '${second.name}' are the texts to compare. Leave it out.`,
      name,
    );
  }
  refuseUnequal(first, second);
  return [first, second];
}

const missing = (name: Name) =>
  invalidRequest(
    `Missing required parameter: '${name}'. Send the texts to compare as 'text_1' and 'text_2'.`,
    name,
    "missing_required_parameter",
  );

function refuseUnequal(first: NamedTexts, second: NamedTexts): void {
  const [many, others] = [countOf(first), countOf(second)];
  if (many === 1 || many === others) return;
  throw invalidRequest(
    `'${first.name}' has ${many} texts, but '${second.name}' has ${others}. Send as many, or a single '${first.name}', which is then compared with each.`,
    second.name,
  );
}

const countOf = ({ texts }: NamedTexts) => (typeof texts === "string" ? 1 : texts.length);
