import type { Handler } from "#runtime";

/** Counts the requests that run, without other calls, such as those for events. */
export class RunningRequests {
  count = 0;

  counted(handler: Handler): Handler {
    return async (payload, call) => {
      this.count++;
      try {
        await handler(payload, call);
      } finally {
        this.count--;
      }
    };
  }
}
