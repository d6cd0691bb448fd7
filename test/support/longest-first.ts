/**
 * The order of the test files, in which no processor is left without work at the end: first those
 * that run programs, which take longest, whatever the size of their text.
 */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const slow = /\/(?:recovery-tests|test\/(?:nbd|cli|fsck|kill|examples))\//;

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer is no array
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification): boolean => slow.test(moduleId);
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}
