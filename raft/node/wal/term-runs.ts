/**
 * Terms of a log's entries, held as runs: a term lasts for thousands of entries, so this stays a handful of
 * numbers.
 */
export class TermRuns {
  /** Index of the first entry. */
  first = 1;
  /** Index of the last entry; `first - 1` when there is none. */
  last = 0;

  private starts: number[] = [0];
  private terms: number[] = [0];

  /** Starts over: empty, with `previousTerm` as the term of the entry before `first`. */
  reset(first: number, previousTerm: number): void {
    this.first = first;
    this.last = first - 1;
    this.starts = [first - 1];
    this.terms = [previousTerm];
  }

  /** Appends `count` entries of one term, dropping what stood at `index` and after it. */
  append(index: number, count: number, term: number): void {
    if (index < this.first || index > this.last + 1) {
      throw new Error(`entries at ${index} do not continue a log of ${this.first} to ${this.last}`);
    }
    while (this.starts.length > 1 && this.starts.at(-1)! >= index) {
      this.starts.pop();
      this.terms.pop();
    }
    if (this.terms.at(-1) !== term) {
      this.starts.push(index);
      this.terms.push(term);
    }
    this.last = index + count - 1;
  }

  /** Forgets what lies before `first`, except for the term of its predecessor. */
  dropBefore(first: number): void {
    if (first <= this.first) return;
    let runs = 0;
    while (runs + 1 < this.starts.length && this.starts[runs + 1]! < first) runs++;
    this.starts.splice(0, runs);
    this.terms.splice(0, runs);
    this.first = first;
  }

  /** Term of the entry at `index`, also for the predecessor of the first; undefined outside. */
  term(index: number): number | undefined {
    if (index < this.first - 1 || index > this.last) return undefined;
    let run = this.starts.length - 1;
    if (this.starts[run]! <= index) return this.terms[run];
    let low = 0;
    while (run - low > 1) {
      const middle = (low + run) >>> 1;
      if (this.starts[middle]! <= index) low = middle;
      else run = middle;
    }
    return this.terms[low];
  }
}
