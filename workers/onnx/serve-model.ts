import { parentPort } from "node:worker_threads";
import { messageOf } from "#runtime";
import type { FromThread, ThreadRequest, ToThread } from "./messages.ts";

/** What a thread does. */
export interface ServedModel<Model, Request extends ThreadRequest, Part, Result> {
  /** Loads the model. */
  open(): Promise<Model>;
  /** Does what a request asks. @returns undefined if it has no result */
  handle(model: Model, request: Request, onPart: (part: Part) => void): Promise<Result | undefined>;
  /** Called when a request has failed. @returns what is wrong with the request, if that is to blame */
  onFailure(request: Request, error: unknown): string | undefined;
  close(model: Model): Promise<void>;
}

/** Serves a `ModelThread` in this thread: loads the model, and handles requests in order until it is told to close. */
export async function serveModel<Model, Request extends ThreadRequest, Part, Result>({
  open,
  handle,
  onFailure,
  close,
}: ServedModel<Model, Request, Part, Result>): Promise<void> {
  const port = parentPort!;
  const send = (message: FromThread<Part, Result>) => port.postMessage(message);

  const answer = async (model: Model, message: ToThread<Request>) => {
    if (!isRequest(message)) {
      await close(model);
      port.close();
      return;
    }
    const { id } = message;
    try {
      const result = await handle(model, message, (part) => send({ kind: "part", id, part }));
      if (result !== undefined) send({ kind: "done", id, result });
    } catch (error) {
      send({ kind: "failed", id, message: messageOf(error), refusal: onFailure(message, error) });
    }
  };

  try {
    const model = await open();
    let last: Promise<void> = Promise.resolve();
    port.on("message", (message: ToThread<Request>) => {
      last = last.then(() => answer(model, message));
    });
    send({ kind: "ready" });
  } catch (error) {
    send({ kind: "unready", message: messageOf(error) });
  }
}

const isRequest = <Request extends ThreadRequest>(message: ToThread<Request>): message is Request =>
  "id" in message;
