import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/**
 * Runs jobs in threads of `file`, one for each core, the first jobs first. What a job gives and takes is copied.
 * The file calls `serveJobs` with the function that does a job.
 */
export async function runJobs<Job, Result>(
  file: URL,
  setup: unknown,
  jobs: readonly Job[],
  onResult: (job: Job, result: Result) => void,
): Promise<void> {
  const waiting = [...jobs];
  const threads = Array.from({ length: Math.min(availableParallelism(), jobs.length) }, async () => {
    const thread = new Worker(file, {
      workerData: setup,
      // A thousand workers' caches, an object for each block.
      resourceLimits: { maxOldGenerationSizeMb: 8192 },
    });
    try {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        onResult(job, await ask<Job, Result>(thread, job));
      }
    } finally {
      await thread.terminate();
    }
  });
  await Promise.all(threads);
}

/** In a thread: does jobs, one after the other. `makeDoer` gets the setup, once. */
export async function serveJobs<Setup, Job, Result>(
  makeDoer: (setup: Setup) => Promise<(job: Job) => Result>,
): Promise<void> {
  if (isMainThread) throw new Error("This file is a thread of a benchmark.");
  const doer = makeDoer(workerData as Setup);
  parentPort!.on("message", async (job: Job) => parentPort!.postMessage((await doer)(job)));
}

function ask<Job, Result>(thread: Worker, job: Job): Promise<Result> {
  return new Promise((resolve, reject) => {
    thread.once("error", reject);
    thread.once("message", (result: Result) => {
      thread.off("error", reject);
      resolve(result);
    });
    thread.postMessage(job);
  });
}
