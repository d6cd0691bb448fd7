/** What the benchmark is at, on stderr: one line that changes on a terminal, lines elsewhere. */

const { stderr } = process;

export function progress(text: string): void {
  stderr.write(stderr.isTTY ? `\r\u001B[K${text.slice(0, stderr.columns - 1)}` : `${text}\n`);
}

/** Takes the changing line away. */
export function endProgress(): void {
  if (stderr.isTTY) stderr.write("\r\u001B[K");
}
