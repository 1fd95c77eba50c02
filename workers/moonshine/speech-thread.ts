import { cancelFlag } from "../onnx/cancel-flag.ts";
import { ModelThread } from "../onnx/model-thread.ts";
import { TranscribeRefusedError } from "../transcribe-handler.ts";
import type { BegunAudio, HeardWindowResult, SpeechMessage, SpeechResult, ThreadData } from "./messages.ts";

/** The worker's end of the thread that hears. */
export class SpeechThread {
  readonly #thread: ModelThread<SpeechMessage, string, SpeechResult>;

  private constructor(thread: ModelThread<SpeechMessage, string, SpeechResult>) {
    this.#thread = thread;
  }

  /**
   * Starts the thread and loads the model in it.
   * @throws Error with the reason if the model cannot be loaded
   */
  static async open(data: ThreadData): Promise<SpeechThread> {
    return new SpeechThread(
      await ModelThread.open({
        script: new URL("thread.ts", import.meta.url),
        data,
        model: "the speech model",
        toRefusal: (_audio, message) => new TranscribeRefusedError("audio", message),
      }),
    );
  }

  /** A request's audio in the thread. Its methods are called one after another. */
  begin(audio: Uint8Array, temperature: number, signal: AbortSignal): SpeechRequest {
    const thread = this.#thread;
    const id = thread.nextId();
    const { shared: cancelled, release } = cancelFlag(signal);
    return {
      begin: async () => {
        const result = await thread.ask({ kind: "begin", id, audio, temperature, cancelled });
        if (result.kind !== "begun") throw unexpected(result);
        return result;
      },
      next: async (onText) => {
        const result = await thread.ask({ kind: "next", id }, onText);
        if (result.kind !== "window") throw unexpected(result);
        return result;
      },
      end: () => {
        release();
        thread.tell({ kind: "end", id });
      },
    };
  }

  /** Ends the thread once it has done what it was asked. */
  close(): Promise<void> {
    return this.#thread.close();
  }
}

export interface SpeechRequest {
  /** Decodes the audio. @throws TranscribeRefusedError if it is not audio */
  begin(): Promise<BegunAudio>;
  /** Hears the next window. @param onText called with text to append, as it is heard */
  next(onText: (text: string) => void): Promise<HeardWindowResult>;
  /** Frees the audio. */
  end(): void;
}

const unexpected = ({ kind }: SpeechResult) => new Error(`The speech thread answered '${kind}' out of turn.`);
