/** The line that a check keeps on a terminal, with a stream and a clock that are made up. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkCrashConsistency } from "../../src/testing/check.ts";
import { terminalProgress, type ProgressStream } from "../../src/testing/terminal-progress.ts";

const clear = "\r\x1b[K";

/** A stream that keeps what was written, and a clock that only goes on when told. */
function fake(options: Partial<ProgressStream> = {}): { stream: ProgressStream; lines: string[] } {
  const lines: string[] = [];
  const write = (text: unknown): boolean => lines.push(String(text)) > 0;
  return { stream: { isTTY: true, columns: 80, write, ...options }, lines };
}

describe("the progress of a check on a terminal", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => vi.useRealTimers());

  it("is one line, written a few times a second, that goes away at the end", () => {
    const { stream, lines } = fake();
    const onProgress = terminalProgress("store", stream);
    for (let states = 1; states <= 1000; states++) {
      vi.advanceTimersByTime(1);
      onProgress({ states, distinct: states >> 1, violations: states > 500 ? 1 : 0 });
    }
    expect(lines).toEqual([
      `${clear}store: 1 states, 0 distinct, 0 violations, 1000 states/s`,
      `${clear}store: 251 states, 125 distinct, 0 violations, 1000 states/s`,
      `${clear}store: 501 states, 250 distinct, 1 violations, 1000 states/s`,
      `${clear}store: 751 states, 375 distinct, 1 violations, 1000 states/s`,
    ]);
    onProgress.stop();
    onProgress.stop();
    expect(lines.slice(4)).toEqual([clear]);
  });

  it("is never wider than the terminal", () => {
    for (const [columns, width] of [
      [20, 19],
      [0, 79],
    ] as const) {
      const { stream, lines } = fake({ columns });
      terminalProgress("a name ".repeat(20), stream)({ states: 1, distinct: 1, violations: 0 });
      expect(lines).toEqual([clear + "a name ".repeat(20).slice(0, width)]);
    }
  });

  it("counts the rate anew for another check", () => {
    const { stream, lines } = fake();
    const onProgress = terminalProgress(undefined, stream);
    onProgress({ states: 5000, distinct: 1, violations: 0 });
    vi.advanceTimersByTime(10_000);
    onProgress({ states: 1, distinct: 1, violations: 0 });
    vi.advanceTimersByTime(500);
    onProgress({ states: 100, distinct: 2, violations: 0 });
    expect(lines[0]).toBe(
      `${clear}crash consistency: 5000 states, 1 distinct, 0 violations, 0 states/s`,
    );
    expect(lines.at(-1)).toContain("100 states, 2 distinct, 0 violations, 200 states/s");
  });

  it("is not written where there is no terminal, not even to take it away", () => {
    const { stream, lines } = fake({ isTTY: false });
    const onProgress = terminalProgress("store", stream);
    onProgress({ states: 1, distinct: 1, violations: 0 });
    onProgress.stop();
    expect(lines).toEqual([]);
  });

  it("is told by a check of every state, with the last one complete", async () => {
    const told: unknown[] = [];
    const report = await checkCrashConsistency(
      {
        workload: (disk) => void disk.createFile("/a"),
        recover: (disk) => disk.list("/"),
        oracle: (names) => expect(names).toEqual([]),
      },
      { onProgress: (progress) => told.push(progress), shrink: false },
    );
    expect(told.length).toBe(report.states);
    const { states, distinct } = report;
    expect(report.violations.length).toBeGreaterThan(0);
    expect(told.at(-1)).toEqual({ states, distinct, violations: report.violations.length });
  });
});
