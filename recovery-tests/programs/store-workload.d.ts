/** The types of the workload, which is plain JavaScript so that its programs start quickly. */
import type { Host, OpenHostOptions } from "blockspace";

export interface StoreOperation {
  do: string;
  name?: string;
}

export const BLOCK: number;
export const options: OpenHostOptions;
export function operationsOf(seed: number, count: number): StoreOperation[];
export function descriptionsOf(operations: readonly StoreOperation[]): string[];
export function describeHost(host: Host): Promise<string>;
