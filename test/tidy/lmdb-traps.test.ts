/** Shows which ways into lmdb's traps the rule sees, and which safe ways it leaves open. */
import { describe, expect, it } from "vitest";
import { lmdbTraps } from "./lmdb-traps.ts";

const path = "src/checkpoint/a.ts";
const trapsIn = (code: string): string[] =>
  lmdbTraps([{ path, text: `import { open } from "lmdb";\n${code}` }]);

describe("lmdbTraps", () => {
  it.each([
    ["a concise body", `db.transactionSync(() => db.putSync(key, value));`],
    ["a concise body over lines", `db.transactionSync(\n  () =>\n    work(),\n);`],
    ["a value returned", `db.transactionSync(() => { return work(); });`],
    ["a value returned below", `db.transactionSync(() => { if (a) { return work(); } });`],
    ["an async body", `db.transactionSync(async () => { await work(); });`],
    ["a function from elsewhere", `db.transactionSync(work);`],
    ["nothing at all", `db.transactionSync();`],
    ["an optional call", `db?.transactionSync(() => work());`],
    ["a computed name", `db["transactionSync"](() => work());`],
    ["a bare function", `transactionSync(() => work());`],
  ])("refuses transactionSync with %s", (_, code) => {
    expect(trapsIn(code)).toEqual([
      `${path}:2: transactionSync takes a function in place that returns nothing`,
    ]);
  });

  it.each([
    `db.transactionSync(() => { work(); });`,
    `db.transactionSync(() => { if (done) return; work(); });`,
    `db.transactionSync(() => { for (const a of list.filter((x) => x.ok)) work(a); });`,
    `db.transactionSync(function () { work(() => { return 1; }); });`,
  ])("accepts %s", (code) => {
    expect(trapsIn(code)).toEqual([]);
  });

  it("refuses the concise body also in a file that does not import lmdb", () => {
    expect(lmdbTraps([{ path, text: `db.transactionSync(() => work());` }])).toHaveLength(1);
  });

  it.each(["put", "remove", "transaction", "batch", "flushed", "committed"])(
    "refuses .%s where lmdb is imported, and only there",
    (name) => {
      const text = `await db.${name}(key);`;
      expect(trapsIn(text)).toEqual([`${path}:2: .${name} of lmdb does not wait for durability`]);
      expect(lmdbTraps([{ path, text }])).toEqual([]);
    },
  );

  it("accepts the calls that wait, and words in comments and strings", () => {
    expect(trapsIn(`db.putSync(key, value); db.removeSync(key);`)).toEqual([]);
    expect(trapsIn(`// db.put(key)\nconst a = "transactionSync(() => db.put(key))";`)).toEqual([]);
  });
});
