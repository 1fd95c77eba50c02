import { seededRandom } from "#runtime";
import { type Picture, type PictureRequest, type PlacedPicture, pictureOf } from "./requests.ts";

export interface Workload {
  /** Conversations that begin with a picture. */
  readonly conversations: number;
  /** Of them, a second. */
  readonly perSecond: number;
  /** Different pictures. */
  readonly pictures: number;
  /** The n-th picture is asked about in proportion to n to the power of −`zipf`; 0: all alike. */
  readonly zipf: number;
  /** Sizes of pictures in megapixels, all as frequent. */
  readonly megapixels: readonly number[];
  /** Turns of each conversation, from 1 to twice the mean. */
  readonly meanTurns: number;
  /** Mean seconds between two turns. */
  readonly thinkSeconds: number;
  /** Requests without a picture for each conversation. */
  readonly textRequests: number;
  readonly systemTokens: number;
  readonly questionTokens: number;
  readonly textTokens: number;
  readonly answerTokens: number;
  readonly seed: number;
}

/** Qwen2-VL's `<|image_pad|>`. */
const PLACEHOLDER = 151_655;

/** Generates requests by their arrival: users who ask about pictures, several about the same ones, and ask again. */
export function requestsOf(workload: Workload): PictureRequest[] {
  const random = seededRandom(workload.seed);
  const text = (length: number) => Array.from({ length }, () => Math.floor(random() * 2 ** 17));
  /** Between half of the mean and one and a half of it. */
  const lengthNear = (mean: number) => Math.max(1, Math.round(mean * (0.5 + random())));
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  const choosePicture = picturesOf(workload, random);
  const system = text(workload.systemTokens);
  const requests: PictureRequest[] = [];
  const add = (arrivalMs: number, prompt: number[], pictures: readonly PlacedPicture[]) => {
    const answer = text(lengthNear(workload.answerTokens));
    const tokens = [...prompt, ...answer];
    requests.push({
      arrivalMs,
      tokens: Uint32Array.from(tokens),
      promptTokens: prompt.length,
      outputTokens: answer.length,
      pictures,
    });
    return tokens;
  };
  let startMs = 0;
  for (let index = 0; index < workload.conversations; index++) {
    startMs += exponential(1000 / workload.perSecond);
    const picture = { ...choosePicture(), offset: system.length };
    let history = [...system, ...Array<number>(picture.tokens).fill(PLACEHOLDER)];
    let turnMs = startMs;
    const turns = Math.ceil(random() * (2 * workload.meanTurns - 1));
    for (let turn = 0; turn < turns; turn++) {
      history = add(turnMs, [...history, ...text(lengthNear(workload.questionTokens))], [picture]);
      turnMs += exponential(workload.thinkSeconds * 1000);
    }
    for (let count = 0; count < workload.textRequests; count++) {
      const atMs = startMs + exponential(1000 / workload.perSecond);
      add(atMs, [...system, ...text(lengthNear(workload.textTokens))], []);
    }
  }
  return requests.sort((a, b) => a.arrivalMs - b.arrivalMs);
}

function picturesOf({ pictures, zipf, megapixels }: Workload, random: () => number): () => Picture {
  const picture = (index: number) => pictureOf(`picture-${index}`, megapixels[index % megapixels.length]!);
  if (zipf === 0) return () => picture(Math.floor(random() * pictures));
  let total = 0;
  const upTo = Array.from({ length: pictures }, (_, index) => (total += (index + 1) ** -zipf));
  return () => {
    const wanted = random() * total;
    return picture(upTo.findIndex((sum) => sum > wanted));
  };
}
