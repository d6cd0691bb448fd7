/** How far a run is, in one line of a terminal, for people who wait. */

/** Shows the line in place of the last one; an empty one leaves nothing behind. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
