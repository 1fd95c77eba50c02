import type { TranscribeEvent, TranscribeRequest } from "#runtime";
import { type Engine, type SpeechModel, speechEngine, TranscribeRefusedError } from "#workers";

export const SILENCE = "~";

/**
 * An engine without a model whose speech is text already: it "hears" the words of its file, one in a second, and makes a
 * segment of each line. The file `?` is refused, as if it were no audio; in `SILENCE` there is nothing to hear.
 */
export class Stenographer {
  readonly engine: Engine;
  /** The requests, in the order of their arrival. */
  readonly asked: TranscribeRequest[] = [];
  /** Called before each word; a test holds it to keep the answer open. */
  onWord: (word: string) => void | Promise<void> = () => {};
  /** Signals that have aborted while their request ran. */
  aborted = 0;

  constructor(name: string, abilities: Partial<Pick<SpeechModel, "translates" | "wordTimes">> = {}) {
    this.engine = speechEngine({
      name,
      engine: { name: "stenographer", version: "1" },
      translates: true,
      wordTimes: true,
      maxSequences: 4,
      ...abilities,
      stats: () => ({ running: 0, waiting: 0, kvUsage: 0 }),
      close: async () => {},
      transcribe: (request, signal) => this.#transcribe(request, signal),
    });
  }

  async *#transcribe(request: TranscribeRequest, signal: AbortSignal): AsyncGenerator<TranscribeEvent> {
    // The request's bytes are valid during the call only.
    this.asked.push({ ...request, audio: request.audio.slice() });
    const heard = new TextDecoder().decode(request.audio);
    if (heard === "?") throw new TranscribeRefusedError("audio", "The file is not audio.");
    if (request.language === "xx") throw new TranscribeRefusedError("language", "It speaks no 'xx'.");
    let at = 0;
    let spoken = 0;
    try {
      for (const line of heard === SILENCE ? [] : heard.split("\n")) {
        const start = at;
        const words = line.split(" ");
        for (const word of words) {
          await this.onWord(word);
          if (signal.aborted) return;
          const said = request.translates ? word.toUpperCase() : word;
          yield {
            text: at === 0 ? said : ` ${said}`,
            ...(request.words && { words: [{ start: at, end: at + 0.5, word: said }] }),
          };
          at++;
        }
        spoken += words.length;
        const text = request.translates ? line.toUpperCase() : line;
        yield {
          text: "",
          segments: [{ start, end: at, text, tokens: [1, 2], meanLogprob: -0.5, noSpeech: 0.1 }],
        };
      }
      const done = {
        audioSeconds: Math.max(at - 0.5, 0.5),
        computeSeconds: 0.5,
        language: "en",
        tokens: spoken,
      };
      yield { text: "", done };
    } finally {
      if (signal.aborted) this.aborted++;
    }
  }
}
