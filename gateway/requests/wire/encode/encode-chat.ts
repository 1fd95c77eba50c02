import type { ChatEncoding, EncodedFields } from "../../../engines/encoding/types.ts";
import { withFields } from "../../../kernel/json-fields.ts";
import { answerWithin, reportEncodeFailure } from "../../encoding/encode-error.ts";
import {
  callEncoder,
  type EncodedBody,
  type EncodeRun,
  type EncodeRunOptions,
  failureContext,
} from "./encode-run.ts";
import type { EncoderCall } from "./encoder-call.ts";

/** Has all media of a chat encoded by one encoder, for this request alone. */
export class ChatEncodeRun implements EncodeRun {
  readonly #encoding: ChatEncoding;
  readonly #chat: Readonly<Record<string, unknown>>;
  readonly #options: EncodeRunOptions;
  #call: EncoderCall<EncodedFields> | undefined;
  #isOver = false;

  /** @param chat the parsed body */
  constructor(encoding: ChatEncoding, chat: Readonly<Record<string, unknown>>, options: EncodeRunOptions) {
    this.#encoding = encoding;
    this.#chat = chat;
    this.#options = options;
  }

  async encode(): Promise<EncodedBody | undefined> {
    const { job, context, media, body } = this.#options;
    const { encodes } = job.model.metrics.routing;
    try {
      const [name, call] = this.#ask();
      const fields = await answerWithin(context.options.encodeMs, call.result);
      if (this.#isOver) return undefined;
      encodes.count("remote", "", media.length);
      return {
        body: withFields(body, new Set(Object.keys(fields)), fields),
        fields,
        encoders: [name],
        ids: [],
        mayBeRefused: true,
      };
    } catch (error) {
      if (this.#isOver) return undefined;
      reportEncodeFailure(failureContext(this.#options), error, media.length);
      return { body, fields: undefined, encoders: [], ids: [], mayBeRefused: false };
    } finally {
      this.end();
    }
  }

  end(): void {
    this.#isOver = true;
    this.#call?.leave();
    this.#call = undefined;
  }

  #ask(): [name: string, call: EncoderCall<EncodedFields>] {
    const { job, media, encoders: ready } = this.#options;
    const { encoders } = job.model;
    const name = encoders.choose(
      media[0]!.id,
      ready.map(({ instance }) => instance.name),
    );
    const encoder = ready.find(({ instance }) => instance.name === name)!;
    // The request may name an adapter, which encoders need not have.
    const body = { ...this.#chat, model: encoder.model.name };
    const request = this.#encoding.request({ path: job.path, body });
    const call = callEncoder(this.#options, encoder, 0, request, (answer) =>
      this.#encoding.readAnswer(answer, media.length),
    );
    call.join();
    this.#call = call;
    const tokens = media.reduce((sum, medium) => sum + medium.tokens, 0);
    encoders.book(name, tokens, call.result);
    return [name, call];
  }
}
