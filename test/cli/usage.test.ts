/**
 * The usage text of every command, pinned in one golden file, and what is no use at all. When a
 * change is meant, `npx vitest run test/cli/usage.test.ts -u` writes the file anew.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { failure, run } from "./blockspace.ts";

const words =
  "init info list create rename resize delete snapshot clone rollback import export read write " +
  "map diff journal compact grow check repair dump restore serve mount umount";
const commands = words.split(" ");

async function help(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return `$ blockspace ${args.join(" ")}\n${stdout}`;
}

describe("usage", () => {
  it("is the text in the golden file", async () => {
    const texts = [await help("--help")];
    for (const command of commands) texts.push(await help(command, "--help"));
    await expect(texts.join("\n")).toMatchFileSnapshot("usage.golden.txt");
  });

  it("names every command, and no other", async () => {
    const text = await help("--help");
    const listed =
      text
        .split("Commands:\n")[1]
        ?.split("\n\n")[0]
        ?.matchAll(/^ {2}(\w+)/gm) ?? [];
    expect(Array.from(listed, ([, name]) => name)).toEqual([...commands, "help"]);
  });

  it("is shown by help, too", async () => {
    const [, ...byOption] = (await help("import", "--help")).split("\n");
    const [, ...byCommand] = (await help("help", "import")).split("\n");
    expect(byCommand).toEqual(byOption);
  });

  it("tells the version of the package", async () => {
    const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(manifest) as { version: string };
    expect((await run(["--version"])).stdout).toBe(`${version}\n`);
  });
});

describe("what makes no sense ends with 2", () => {
  it.each([
    ["no command", [], "Usage: blockspace [options] [command]"],
    ["an unknown command", ["defrag", "s"], "blockspace: unknown command 'defrag'"],
    ["a missing argument", ["info"], "blockspace: missing required argument 'STORE'"],
    ["too many arguments", ["list", "s", "t"], "blockspace: too many arguments for 'list'"],
    ["a missing option", ["create", "s", "n"], "blockspace: required option '--size <SIZE>'"],
    ["an unknown option", ["info", "s", "--fast"], "blockspace: unknown option '--fast'"],
    ["two places", ["serve", "s", "--stdio", "--listen", ":0"], "'--stdio' cannot be used with"],
    ["two kinds of keys", ["serve", "s", "--tls-psk", "f", "--tls-ca", "f"], "cannot be used with"],
    ["no size", ["resize", "s", "n", "1furlong"], '"1furlong" is not a size; allowed are'],
    ["a negative offset", ["read", "s", "n", "--", "-1", "5"], '"-1" is not a size'],
    // These ended with 1, when the store was open already or before it was there at all.
    ["no capacity", ["init", "/nowhere/s", "--capacity", "0"], "capacity is 0 bytes; allowed are"],
    ["odd blocks", ["init", "/nowhere/s", "--block-size", "3"], "allowed are powers of two from"],
    ["no journal", ["--journal-size", "1", "list", "s"], "allowed are 65536 and more"],
    ["an empty disk", ["create", "s", "n", "--size", "0"], "allowed is 1 byte or more"],
    ["no size at all", ["resize", "s", "n", "0"], "allowed is 1 byte or more"],
    ["no name", ["snapshot", "s", "n", ""], 'the name is ""; allowed are'],
    ["a long name", ["rename", "s", "n", "x".repeat(256)], "the name has 256 bytes; allowed are"],
    ["no device", ["--device", "", "list", "s"], "allowed is a path"],
    ["two outputs", ["export", "s", "n", "-", "--json"], "--json and - both want standard output"],
    ["an update of a stream", ["export", "s", "n", "-", "--since", "o"], "--since updates a file"],
    ["an update by force", ["export", "s", "n", "f", "--since", "o", "-f"], "cannot be used with"],
    ["half of a key", ["serve", "s", "--tls-ca", "f"], "--tls-ca needs --tls-cert and --tls-key"],
    ["half a byte", ["create", "s", "n", "--size", "0.5"], '"0.5" is not a size'],
  ])("%s", async (_what, args, message) => {
    const { code, says } = await failure(...args);
    expect(says).toContain(message);
    expect(says.startsWith("blockspace: ") || args.length === 0).toBe(true);
    expect(says).not.toContain("EINVAL");
    expect(code).toBe(2);
  });
});
