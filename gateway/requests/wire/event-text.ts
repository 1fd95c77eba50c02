/** One event of an event stream (WHATWG HTML, section 9.2.6). */
export interface StreamEvent {
  /** The field `event`; empty where there is none. */
  readonly name: string;
  /** The lines of the field `data`. */
  readonly data: string;
}

/**
 * The events of an event stream's text that have data, in order. What stands behind the last empty line counts as an
 * event too: some servers end with their last line.
 */
export function readEvents(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  let name = "";
  let data: string[] = [];
  const end = () => {
    if (data.some((line) => line !== "")) events.push({ name, data: data.join("\n") });
    name = "";
    data = [];
  };
  for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)) {
    if (line === "") {
      end();
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") data.push(value);
    else if (field === "event") name = value;
  }
  end();
  return events;
}

/** An event's text. @param name what kind of event it is, where the API names them */
export const event = (data: string, name?: string) => {
  const lines = data.split("\n").map((line) => `data: ${line}\n`);
  return `${name === undefined ? "" : `event: ${name}\n`}${lines.join("")}\n`;
};

const DONE = "[DONE]";

/** OpenAI's last event. */
export const DONE_EVENT = event(DONE);

/** Whether an event's data is OpenAI's last, with or without spaces around it. */
export const isDone = (data: string) => data.trim() === DONE;
