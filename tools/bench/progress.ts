/** What the benchmark is at, on stderr: one line that changes on a terminal, lines elsewhere. */

const { stderr } = process;

export function progress(text: string): void {
  const line = `${String(Math.round(performance.now() / 1000)).padStart(4)} s  ${text}`;
  stderr.write(stderr.isTTY ? `\r\u001B[K${line.slice(0, stderr.columns - 1)}` : `${line}\n`);
}

/** Takes the changing line away. */
export function endProgress(): void {
  if (stderr.isTTY) stderr.write("\r\u001B[K");
}
