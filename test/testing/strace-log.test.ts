/** Every awkward kind of line that strace writes, read back to the byte. */
import { describe, expect, it } from "vitest";
import { type Argument, parseStraceLog, type SystemCall } from "../../src/testing/strace-log.ts";

/** As strace writes it with `-xx`. */
const hex = (text: string): string =>
  Array.from(Buffer.from(text), (byte) => String.raw`\x${byte.toString(16).padStart(2, "0")}`).join(
    "",
  );

function only(...lines: string[]): SystemCall {
  const calls = parseStraceLog(lines);
  expect(calls).toHaveLength(1);
  return calls[0]!;
}

/** Arguments as short text: strings as JSON, `~` behind those that were cut. */
function shown(arg: Argument): string {
  switch (arg.type) {
    case "bytes":
      return JSON.stringify(Buffer.from(arg.bytes).toString()) + (arg.whole ? "" : "~");
    case "list":
      return `[${arg.items.map(shown).join(" ")}]`;
    case "fields":
      return `{${Array.from(arg.fields, ([name, value]) => `${name}=${shown(value)}`).join(" ")}}`;
    case "word":
      return arg.text + (arg.path === undefined ? "" : `<${arg.path}>`);
  }
}

const argsOf = (call: SystemCall): string[] => call.args.map(shown);

describe("a line of strace's log", () => {
  it("has bytes that look like punctuation", () => {
    const bytes = `"),] \n\0 <unfinished ...> = 3 ü`;
    const call = only(`77 pwrite64(18<${hex("/a>b (deleted)")}>, "${hex(bytes)}", 32, 4096) = 32`);
    expect(argsOf(call)).toEqual([`18</a>b (deleted)>`, JSON.stringify(bytes), "32", "4096"]);
    expect(call).toMatchObject({ thread: 77, name: "pwrite64", result: 32, error: undefined });
  });

  it("has a descriptor of a removed file", () => {
    const call = only(`7 write(3<${hex("/gone")}>(deleted), "${hex("x")}", 1) = 1`);
    expect(argsOf(call)).toEqual(["3</gone>", `"x"`, "1"]);
  });

  // Found by row 15 of the recovery tests: a thread was killed together with the others.
  it("is passed over where strace could not see the call", () => {
    const lines = ["7 ???() = ?", "8 ???( <unfinished ...>", "8 <... ??? resumed>) = ?"];
    expect(parseStraceLog([...lines, "7 +++ killed by SIGKILL +++"])).toEqual([]);
  });

  it("returns a descriptor with a path", () => {
    const call = only(
      `7 openat(AT_FDCWD<${hex("/d")}>, "${hex("f")}", O_RDWR|O_CREAT|O_DSYNC|O_CLOEXEC, 0666)` +
        ` = 18<${hex("/d/f")}>`,
    );
    expect(argsOf(call)).toEqual([
      "AT_FDCWD</d>",
      `"f"`,
      "O_RDWR|O_CREAT|O_DSYNC|O_CLOEXEC",
      "0666",
    ]);
    expect(call).toMatchObject({ result: 18, resultPath: "/d/f" });
  });

  it("has buffers of a writev, an empty one and one without an address among them", () => {
    const call = only(
      `7 writev(3<${hex("/f")}>, [{iov_base="${hex("ab")}", iov_len=2}, {iov_base="", iov_len=0},` +
        ` {iov_base=NULL, iov_len=0}], 3) = 2`,
    );
    expect(argsOf(call)[1]).toBe(
      `[{iov_base="ab" iov_len=2} {iov_base="" iov_len=0} {iov_base=NULL iov_len=0}]`,
    );
  });

  it("has an offset that the call has changed", () => {
    const call = only(`7 sendfile(4<${hex("/to")}>, 3<${hex("/from")}>, [2] => [6], 4) = 4`);
    expect(argsOf(call)).toEqual(["4</to>", "3</from>", "[2]", "4"]);
  });

  it("has a string that was cut", () => {
    const call = only(`7 write(3<${hex("/f")}>, "${hex("ab")}"..., 100) = 100`);
    expect(argsOf(call)).toEqual(["3</f>", `"ab"~`, "100"]);
  });

  it("fails, by itself or because it was made to", () => {
    expect(
      only(`7 fdatasync(3<${hex("/f")}>) = -1 EIO (Input/output error) (INJECTED)`),
    ).toMatchObject({
      result: -1,
      error: "EIO",
    });
    expect(
      only(`7 unlink("${hex("f")}")      = -1 ENOENT (No such file or directory)`),
    ).toMatchObject({
      result: -1,
      error: "ENOENT",
    });
  });

  it("is interrupted, to be started again", () => {
    const call = only(
      `7 read(3<${hex("/f")}>, 0x7ffc, 16) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)`,
    );
    expect(call).toMatchObject({ result: undefined, error: "ERESTARTSYS", endedAt: 1 });
  });

  // One in some ten thousand kills came between the two halves of a line.
  it("reads a call whose process was killed while it was written down", () => {
    const end = "<ptrace(SYSCALL):No such process>";
    const cut = only(`7 pwrite64(3<${hex("/f")}>, "${hex("ab")}"..., 512, 0 ${end}`);
    expect(cut).toMatchObject({ name: "pwrite64", result: undefined, endedAt: Infinity });
    expect(cut.args).toHaveLength(4);
  });

  it("never returns, because its process was killed", () => {
    const killed = only(
      `7 write(1<${hex("pipe:[1]")}>, "${hex("1\n")}", 2) = ?`,
      "7 +++ killed by SIGKILL +++",
    );
    expect(killed).toMatchObject({ result: undefined, error: undefined, endedAt: 1 });
    const cut = only(`7 fsync(3<${hex("/f")}> <unfinished ...>`, "7 +++ killed by SIGKILL +++");
    expect(cut).toMatchObject({ name: "fsync", result: undefined, endedAt: Infinity });
    expect(argsOf(cut)).toEqual(["3</f>"]);
  });

  it("has numbers only, where that was asked for", () => {
    const call = only("7 read(0x12, 0x810add0, 0x2d3)      = 0x2d3");
    expect(argsOf(call)).toEqual(["0x12", "0x810add0", "0x2d3"]);
    expect(call.result).toBe(0x2d3);
  });

  it("has structures that the call changes", () => {
    const call = only(
      "7 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, child_tid=0x7f, exit_signal=0, stack_size=0x80}" +
        " => {parent_tid=[8]}, 88) = 8",
    );
    expect(argsOf(call)).toEqual([
      "{flags=CLONE_VM|CLONE_FILES|CLONE_THREAD child_tid=0x7f exit_signal=0 stack_size=0x80}",
      "88",
    ]);
    const [flags] = argsOf(
      only("7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 9"),
    ).slice(1);
    expect(flags).toBe("flags=CLONE_CHILD_SETTID|SIGCHLD");
  });

  it("has comments and flags behind its answer", () => {
    expect(
      argsOf(only(`7 execve("${hex("/bin/true")}", ["${hex("true")}"], 0x7ffd /* 35 vars */) = 0`)),
    ).toEqual([`"/bin/true"`, `["true"]`, "0x7ffd /* 35 vars */"]);
    expect(
      only(`7 fcntl(0<${hex("/dev/null")}>, F_GETFL) = 0x8000 (flags O_RDONLY|O_LARGEFILE)`).result,
    ).toBe(0x8000);
  });
});

describe("a call on two lines", () => {
  it("has both moments, and other threads' calls between them", () => {
    const calls = parseStraceLog([
      `1 pwrite64(3<${hex("/f")}>, "${hex("a")}", 1, 0 <unfinished ...>`,
      `2 fsync(3<${hex("/f")}> <unfinished ...>`,
      `1 <... pwrite64 resumed>)           = 1`,
      `3 write(1<${hex("pipe:[1]")}>, "${hex("x")}", 1) = 1`,
      `2 <... fsync resumed>)              = -1 EIO (Input/output error)`,
    ]);
    expect(
      calls.map(({ name, startedAt, endedAt, result }) => [name, startedAt, endedAt, result]),
    ).toEqual([
      ["pwrite64", 1, 3, 1],
      ["fsync", 2, 5, -1],
      ["write", 4, 4, 1],
    ]);
    expect(calls.map(argsOf)).toEqual([
      ["3</f>", `"a"`, "1", "0"],
      ["3</f>"],
      ["1<pipe:[1]>", `"x"`, "1"],
    ]);
  });

  it("may get its arguments on the second one", () => {
    const call = only(
      `1 read(3<${hex("/f")}>,  <unfinished ...>`,
      `1 <... read resumed>"${hex("abc")}", 10) = 3`,
    );
    expect(argsOf(call)).toEqual(["3</f>", `"abc"`, "10"]);
    expect(call).toMatchObject({ startedAt: 1, endedAt: 2, result: 3 });
  });
});

describe("signals and ends", () => {
  it("are passed over", () => {
    expect(
      parseStraceLog([
        "1 --- SIGCHLD {si_signo=SIGCHLD, si_pid=2} ---",
        "1 +++ exited with 0 +++",
        "",
      ]),
    ).toEqual([]);
  });
});

describe("what is not understood", () => {
  it.each([
    ["no thread", "strace: Process 3 attached"],
    ["a second half without a first", "1 <... write resumed>) = 1"],
    ["a string that is not in hexadecimal", `1 write(1<${hex("/f")}>, "abc", 3) = 3`],
    ["a line that is cut off", `1 write(1<${hex("/f")}>, "${hex("abc")}`],
  ])("is refused: %s", (_, line) => {
    expect(() => parseStraceLog([line])).toThrow(/line 1 of strace's log is not understood/);
  });

  it("is refused: the second half of another call", () => {
    const lines = ["1 fsync(3 <unfinished ...>", "1 <... write resumed>) = 1"];
    expect(() => parseStraceLog(lines)).toThrow(/line 2/);
  });
});
