import { expect } from "vitest";
import { readEvents } from "../../gateway/requests/wire/event-text.ts";
import type { Said } from "./greedy.ts";
import { post } from "./setup.ts";

const PATH = "/v1/chat/completions";

interface Choice {
  readonly delta?: { readonly content?: string };
  readonly message?: { readonly content: string };
  readonly finish_reason?: string;
  readonly logprobs?: { readonly content: readonly { readonly logprob: number }[] };
}

/** @throws unless the chat is answered */
export async function answerTo(url: string, body: object): Promise<Said> {
  const response = await post(url, PATH, { ...body, logprobs: true });
  const answer = await response.json();
  expect(response.status, JSON.stringify(answer)).toBe(200);
  const [choice] = answer.choices as [Choice];
  return { text: choice.message?.content ?? "", logprobs: logprobsOf(choice) };
}

/** The answer to a chat while it is streamed. */
export class ChatStream {
  /** The engine that answers at first. */
  readonly engine: string | null;
  /** Settled with the first token. */
  readonly hasBegun: Promise<void>;
  /** Rejects unless the answer ends as it should: because it is as long as was asked for. */
  readonly answer: Promise<Said>;
  isDone = false;

  static async open(url: string, body: object): Promise<ChatStream> {
    const asked = { ...body, logprobs: true, stream: true };
    const response = await post(url, PATH, asked, { "x-stator-explain": "true" });
    expect(response.status).toBe(200);
    return new ChatStream(response);
  }

  private constructor(response: Response) {
    this.engine = response.headers.get("x-stator-worker");
    const begun = Promise.withResolvers<void>();
    this.hasBegun = begun.promise;
    this.answer = this.#read(response, begun.resolve).finally(begun.resolve);
    // Whoever waits for it may do so later.
    this.answer.catch(() => {});
  }

  async #read(response: Response, begun: () => void): Promise<Said> {
    const decoder = new TextDecoder();
    const said = { text: "", logprobs: [] as number[] };
    let [rest, reason] = ["", ""];
    for await (const part of response.body ?? []) {
      rest += decoder.decode(part, { stream: true });
      const end = rest.lastIndexOf("\n\n") + 2;
      if (end < 2) continue;
      for (const { data } of readEvents(rest.slice(0, end))) {
        this.isDone = data === "[DONE]";
        if (this.isDone) break;
        const { error, choices } = JSON.parse(data);
        if (error !== undefined) throw new Error(`The stream broke off: ${data}`);
        const [choice] = choices as [Choice?];
        if (choice === undefined) continue;
        said.text += choice.delta?.content ?? "";
        said.logprobs.push(...logprobsOf(choice));
        reason ||= choice.finish_reason ?? "";
        if (said.text !== "") begun();
      }
      rest = rest.slice(end);
    }
    if (!this.isDone || reason !== "length") throw new Error(`The stream ended early, after: ${said.text}`);
    return said;
  }
}

const logprobsOf = ({ logprobs }: Choice): number[] =>
  (logprobs?.content ?? []).map(({ logprob }) => logprob);
