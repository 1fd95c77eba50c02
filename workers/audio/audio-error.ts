/** A file cannot be decoded; the message is a sentence for whoever sent it. */
export class AudioError extends Error {
  override name = "AudioError";
}
