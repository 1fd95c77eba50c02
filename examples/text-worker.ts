/**
 * A custom worker in a few lines: an engine that takes text and yields words.
 *
 *     npm start -- --engine examples/text-worker.ts --workers 1
 */
import { setTimeout as sleep } from "node:timers/promises";
import { defineTextWorker } from "#workers";

export default defineTextWorker({
  name: "backwards",
  chatTemplate: "{{ messages[-1].content }}",
  async *generate({ prompt }) {
    for (const word of prompt.split(" ").reverse()) {
      await sleep(5);
      yield `${word} `;
    }
  },
});
