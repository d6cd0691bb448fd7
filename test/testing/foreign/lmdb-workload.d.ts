/** The types of the workload, which is plain JavaScript so that its programs start quickly. */
export const TRANSACTIONS: number;
export function optionsFor(flavour: string): object;
export function changesOf(transaction: number): { key: string; value: string | null }[];
export function contentAfter(count: number): Map<string, string>;
