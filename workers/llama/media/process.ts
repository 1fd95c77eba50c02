import { messageOf } from "#runtime";
import { MediaModel, RefusedError } from "./media-model.ts";
import type { FromProcess, MediaModelOptions, MediaQuestion, ToProcess } from "./messages.ts";

// The process that computes prompts with media; `media-process.ts` starts it.

let model: MediaModel | undefined;
let isStopped = false;

process.on("message", (message: ToProcess) => {
  if (message.kind === "open") open(message);
  else if (message.kind === "ask") void withEnd(() => ask(message));
  else if (message.kind === "encode") void withEnd(() => encode(message.data));
  else isStopped = true;
});
process.on("disconnect", () => process.exit());

const send = (message: FromProcess) => void process.send?.(message);

function open(options: MediaModelOptions): void {
  try {
    model = new MediaModel(options);
    send({ kind: "ready", kinds: model.kinds });
  } catch (error) {
    send({ kind: "unready", message: messageOf(error) });
  }
}

async function withEnd(work: () => Promise<FromProcess>): Promise<void> {
  isStopped = false;
  try {
    send(await work());
  } catch (error) {
    send({ kind: error instanceof RefusedError ? "refused" : "failed", message: messageOf(error) });
  }
}

async function ask(question: MediaQuestion): Promise<FromProcess> {
  const end = await opened().answer(question, {
    onBegun: (promptTokens) => send({ kind: "begun", promptTokens }),
    onToken: send,
    isStopped: () => isStopped,
  });
  return { kind: "done", ...end };
}

const encode = async (data: Uint8Array): Promise<FromProcess> => ({
  kind: "encoded",
  ...(await opened().encode(data)),
});

function opened(): MediaModel {
  if (model === undefined) throw new Error("The model is not open.");
  return model;
}
