/** What a row that runs real processes has found. */
export interface ProcessRun {
  cases: number;
  /** In words, with the seed. */
  violations: string[];
  /** Why it could not be run here. */
  skipped?: string;
}
