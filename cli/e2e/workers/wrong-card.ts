/** An echo whose model card has wrong fields, from the JSON in WRONG. */
import { defineWorker, loadWorker } from "#workers";

const echo = await loadWorker("echo");

export default defineWorker({
  name: "wrong",
  async open(context) {
    const engine = await echo.open(context);
    return { ...engine, card: { ...engine.card, ...JSON.parse(process.env.WRONG!) } };
  },
});
