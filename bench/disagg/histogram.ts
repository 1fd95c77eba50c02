/** Counts numbers in bins that grow by 1 %, so that quantiles of millions of them cost no memory. */
export class Histogram {
  readonly #counts = new Map<number, number>();
  #total = 0;

  add(value: number): void {
    const bin = value <= LEAST ? 0 : Math.ceil(Math.log(value / LEAST) / GROWTH);
    this.#counts.set(bin, (this.#counts.get(bin) ?? 0) + 1);
    this.#total++;
  }

  /** The number below which this share of all lies; 0 if there are none. */
  quantile(share: number): number {
    let left = share * this.#total;
    for (const [bin, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return LEAST * Math.exp(bin * GROWTH);
    }
    return 0;
  }
}

const LEAST = 0.001;
const GROWTH = Math.log(1.01);
