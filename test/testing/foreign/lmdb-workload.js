/**
 * What both programs of the example know: the options, and the changes that each transaction makes.
 * Values fill pages and overflow pages; keys come again and go, so that pages are freed and reused.
 */
export const TRANSACTIONS = 30;

const flavours = {
  default: {},
  safe: { overlappingSync: false, safeRestore: true },
};

/** @param {string} flavour */
export function optionsFor(flavour) {
  return { noSubdir: true, maxDbs: 1, ...flavours[flavour] };
}

/** The puts (`value`) and removals (`null`) of one transaction. */
export function changesOf(transaction) {
  const changes = [];
  for (let i = 0; i < 6; i++) {
    const key = `key ${(transaction * 5 + i * 3) % 17}`;
    const length = [40, 700, 1900, 5000][(transaction + i) % 4];
    const value = i === 5 ? null : `${transaction}:${i}:`.padEnd(length, "abcdefgh");
    changes.push({ key, value });
  }
  return changes;
}

/** What the database holds after so many transactions, as the reader prints it. */
export function contentAfter(count) {
  const content = new Map();
  for (let transaction = 1; transaction <= count; transaction++) {
    for (const { key, value } of changesOf(transaction)) {
      if (value === null) content.delete(key);
      else content.set(key, value);
    }
  }
  return content;
}
