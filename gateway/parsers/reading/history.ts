/** Text that has been read, and may have to be read again. It is kept in pieces, so keeping more costs nothing. */
export class History {
  #pieces: string[] = [];
  /** Where in the whole text it begins. */
  #from = 0;

  /** @param at where in the whole text the piece begins: where the last one has ended */
  push(piece: string, at: number): void {
    if (this.#pieces.length === 0) this.#from = at;
    this.#pieces.push(piece);
  }

  /** Takes back the text from there on. */
  takeFrom(at: number): string {
    const all = this.#pieces.join("");
    const length = at - this.#from;
    this.#pieces = length > 0 ? [all.slice(0, length)] : [];
    return all.slice(length);
  }

  clear(): void {
    this.#pieces = [];
  }
}
