import { messageOf } from "#runtime";
import type { FromProcess, ProjectorOptions, ToProcess } from "./messages.ts";
import { ProjectorModel, RefusedError } from "./projector-model.ts";

// The process that decodes and encodes media; `media-process.ts` starts it.

let model: ProjectorModel | undefined;

process.on("message", (message: ToProcess) => {
  if (message.kind === "open") open(message);
  else void answer(message);
});
process.on("disconnect", () => process.exit());

const send = (message: FromProcess) => void process.send?.(message);

function open(options: ProjectorOptions): void {
  try {
    model = new ProjectorModel(options);
    send({ kind: "ready", kinds: model.kinds });
  } catch (error) {
    send({ kind: "unready", message: messageOf(error) });
  }
}

async function answer(order: Exclude<ToProcess, { kind: "open" }>): Promise<void> {
  try {
    if (model === undefined) throw new Error("The projector is not open.");
    const { tokens, features } =
      order.kind === "measure" ? await model.measure(order.data) : await model.encode(order.data, order.most);
    send(features === undefined ? { kind: "measured", tokens } : { kind: "encoded", tokens, features });
  } catch (error) {
    send({ kind: error instanceof RefusedError ? "refused" : "failed", message: messageOf(error) });
  }
}
