/**
 * The data of each event of an event stream's text (WHATWG HTML, section 9.2), in order; what has none is passed
 * over.
 */
export function eventData(text: string): string[] {
  const events: string[] = [];
  for (const block of text.split(/\r?\n\r?\n/)) {
    const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
    if (lines.length > 0) events.push(lines.map((line) => line.slice(line[5] === " " ? 6 : 5)).join("\n"));
  }
  return events;
}

/** An event's text. @param name what kind of event it is, where the API names them */
export const event = (data: string, name?: string) =>
  name === undefined ? `data: ${data}\n\n` : `event: ${name}\ndata: ${data}\n\n`;

export const DONE = "[DONE]";
