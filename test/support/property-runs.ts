/**
 * How often a heavy property is tried. A failure is made small for so long and no longer, so that
 * the counterexample is shown before the test's own time is up.
 */

/** Parameters for `fc.assert`. */
export function runs(numRuns: number): { numRuns: number; interruptAfterTimeLimit: number } {
  return { numRuns, interruptAfterTimeLimit: 40_000 };
}
