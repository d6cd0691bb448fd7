/** What a row of the fault matrix has to show for itself. */
export interface RowResult {
  /** Cases tried. */
  cases: number;
  /** What went wrong, with what is needed to see it again. */
  violations: string[];
  /** Why nothing could be tried here. */
  skipped?: string;
}
