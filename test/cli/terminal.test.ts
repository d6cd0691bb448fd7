/** What is for terminals only: progress and colour. */
import { PassThrough } from "node:stream";
import type { WriteStream } from "node:tty";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MiB } from "../../src/index.ts";
import { Interruption } from "../../src/cli/interruption.ts";
import { withProgress } from "../../src/cli/progress.ts";
import { Session } from "../../src/cli/session.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** A stream that says whether it is a terminal, and what was written to it. */
function screen(isTTY: boolean): { stream: WriteStream; text: () => string } {
  const stream = new PassThrough() as unknown as WriteStream;
  stream.isTTY = isTTY;
  stream.columns = 80;
  const written: string[] = [];
  stream.on("data", (piece: Buffer) => written.push(piece.toString()));
  return { stream, text: () => written.join("") };
}

async function progressOn(
  isTTY: boolean,
  total: number | undefined,
  quiet = false,
): Promise<string> {
  const session = new Session(new Interruption());
  session.options = { quiet };
  const { stream, text } = screen(isTTY);
  const work = async ({ update }: { update: (bytes: number) => void }): Promise<string> => {
    update(MiB);
    return "result";
  };
  expect(await withProgress(session, "import disk", total, work, stream)).toBe("result");
  await new Promise(setImmediate);
  return text();
}

describe("progress", () => {
  it("is shown on a terminal, and taken away again", async () => {
    const text = await progressOn(true, 4 * MiB);
    expect(text).toContain("import disk [");
    expect(text).toContain("25%  1 MiB of 4 MiB");
    // The cursor comes back, and the line is cleared.
    expect(text.lastIndexOf("\u001b[?25h")).toBeGreaterThan(text.indexOf("\u001b[?25l"));
    expect(text.slice(text.lastIndexOf("%"))).toContain("\u001b[2K");
  });

  it("shows how much where the end is not known", async () => {
    const text = await progressOn(true, undefined);
    expect(text).toContain("import disk  1 MiB");
    expect(text).not.toContain("%");
  });

  it("is not for files, pipes and those who want it quiet", async () => {
    expect(await progressOn(false, 4 * MiB)).toBe("");
    expect(await progressOn(true, 4 * MiB, true)).toBe("");
  });

  it("is taken away when the work fails", async () => {
    const { stream, text } = screen(true);
    const session = new Session(new Interruption());
    const failing = withProgress(session, "x", 10, () => Promise.reject(new Error("no")), stream);
    await expect(failing).rejects.toThrow("no");
    expect(text()).toContain("\u001b[?25h");
  });
});

describe("colour", () => {
  function isColoured(isTTY: boolean): boolean {
    vi.spyOn(process, "stdout", "get").mockReturnValue(screen(isTTY).stream as never);
    return new Session(new Interruption()).colors.bold("x") !== "x";
  }

  it("is for terminals that can show it, and nobody who said no", () => {
    vi.stubEnv("NO_COLOR", undefined);
    vi.stubEnv("TERM", "xterm");
    expect(isColoured(true)).toBe(true);
    expect(isColoured(false)).toBe(false);
    vi.stubEnv("NO_COLOR", "1");
    expect(isColoured(true)).toBe(false);
    vi.stubEnv("NO_COLOR", undefined);
    vi.stubEnv("TERM", "dumb");
    expect(isColoured(true)).toBe(false);
  });
});
