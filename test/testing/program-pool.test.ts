/** Programs that answer questions until one of them kills them. */
import { expect, it } from "vitest";
import { type Answer, ProgramPool } from "../../src/testing.ts";

const program = `
  import { createInterface } from "node:readline";
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "die") process.abort();
    if (line === "end") { console.error("has ended"); process.exit(5); }
    if (line === "hang") continue;
    console.log(process.pid + " " + line);
  }
`;
const command = process.execPath;
const args = ["--input-type=module", "--eval", program];

const pidOf = (answer: Answer): string => ("line" in answer ? answer.line.split(" ")[0]! : "none");

it("few programs answer many questions, each its own", async () => {
  using pool = new ProgramPool({ command, args, size: 2 });
  const questions = Array.from({ length: 40 }, (_, i) => String(i));
  const answers = await Promise.all(questions.map((question) => pool.ask(question)));
  expect(answers.map((answer) => "line" in answer && answer.line.split(" ")[1])).toEqual(questions);
  expect(new Set(answers.map(pidOf)).size).toBe(2);
});

it("a question that kills the program has the death for an answer, and the next one another program", async () => {
  using pool = new ProgramPool({ command, args, size: 1 });
  const before = await pool.ask("a");
  const [death, after, end, last] = await Promise.all(
    ["die", "b", "end", "c"].map((line) => pool.ask(line)),
  );
  expect(death).toEqual({ died: expect.stringMatching(/^SIGABRT/) as string });
  expect(end).toEqual({ died: "code 5: has ended" });
  expect(new Set([before, after!, last!].map(pidOf)).size).toBe(3);
});

it("a program that does not answer is killed", async () => {
  using pool = new ProgramPool({ command, args, size: 1, answerMaxMs: 500 });
  expect(await pool.ask("hang")).toEqual({ died: "SIGKILL" });
});

it("a program that cannot be started is an answer, too", async () => {
  using pool = new ProgramPool({ command: "/there/is/no/such/program" });
  expect(await pool.ask("a")).toMatchObject({ died: expect.stringContaining("ENOENT") as string });
});
