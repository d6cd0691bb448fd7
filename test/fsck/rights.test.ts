/**
 * A store of which this process may not read everything, as after somebody has run a command on it
 * with sudo: nothing is known of what it may not read, and that is not damage.
 *
 * A check once called such a journal file damaged, and a repair in place put it aside and began a
 * new journal without the commits that it holds.
 */
import { expect, it } from "vitest";
import { examine } from "../../src/fsck/check.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import { sampleStore } from "./support/sample-store.ts";

it.each(["EACCES", "EPERM"])("is not examined, and not repaired: %s", async (code) => {
  const store = await sampleStore(1);
  const journal = await store.directory.directory("journal").list();
  const denied = store.copy(({ kind, path }) =>
    kind === "read" && path.includes("journal/") ? { type: "fail", code } : undefined,
  );
  const { report } = await examine(denied.access);
  expect(report).toMatchObject({ exitCode: 8, findings: [], failure: { code: "EIO" } });
  expect(report.failure?.message).toContain(code);
  const { exitCode, after } = await repairStore(denied.access, undefined);
  expect({ exitCode, after }).toEqual({ exitCode: 8, after: undefined });
  expect(await denied.directory.directory("journal").list()).toEqual(journal);
});
