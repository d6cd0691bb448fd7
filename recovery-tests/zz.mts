import { crashRows } from "./rows/crashes.ts";
import { faultRows } from "./rows/faults.ts";
import { damageRows } from "./rows/damage.ts";
import { longRuns } from "./rows/long-runs.ts";
const seen = new Set<number>();
for (const row of [...crashRows, ...faultRows, ...damageRows, longRuns]) {
  if (process.argv[2] && !process.argv[2].split(",").includes(String(row.number))) continue;
  const t = performance.now();
  const s0 = seen.size;
  try {
    const r = await row.run({
      cases: Number(process.argv[3] ?? 1500),
      part: Number(process.argv[4] ?? 0),
      of: 2,
      seen,
    });
    const d = performance.now() - t;
    console.log(
      row.number,
      row.fault,
      r.cases,
      seen.size - s0,
      r.violations.length,
      ((d / r.cases) * 1000).toFixed(0) + " us/case",
    );
    for (const v of r.violations.slice(0, 2))
      console.log(
        v.seed,
        v.vector,
        v.message.slice(0, 300),
        "\n   " + v.story.map((s) => s.slice(0, 400)).join("\n   "),
      );
  } catch (e) {
    console.log(row.number, e);
  }
}
