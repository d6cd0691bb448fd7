/**
 * How a check fares with a large store, beside `thin_check` with a thin pool of the same mappings.
 * `docs/fsck.md` has the figures.
 *
 *     npm run build
 *     npx tsx tools/large-store.ts make DIR [EXTENTS] [SNAPSHOTS]   some 5 GB, half a minute
 *     npx tsx tools/large-store.ts measure node dist/cli/main.js check DIR
 *     node dist/cli/main.js dump DIR | npx tsx tools/large-store.ts thin-xml > pool.xml
 *     truncate -s 1G pool && thin_restore -i pool.xml -o pool
 *     npx tsx tools/large-store.ts measure thin_check pool
 */
import { makeLargeStore } from "./large-store/make.ts";
import { measure } from "./large-store/measure.ts";
import { writeThinXml } from "./large-store/thin-xml.ts";

const [verb, ...rest] = process.argv.slice(2);
if (verb === "make" && rest[0] !== undefined) {
  const [store, extents = "1000000", snapshots = "1000"] = rest;
  await makeLargeStore(store, { extents: Number(extents), snapshots: Number(snapshots) });
} else if (verb === "measure" && rest[0] !== undefined) {
  const { seconds, peakBytes, peakAnonymousBytes, code } = await measure(rest);
  const memory = [peakBytes, peakAnonymousBytes].map((bytes) => Math.round(bytes / 2 ** 20));
  console.log(`exit code ${code} after ${seconds.toFixed(1)} s`);
  console.log(`${memory[0]} MiB resident at most, ${memory[1]} MiB of it no file's`);
} else if (verb === "thin-xml") {
  await writeThinXml(process.stdin, process.stdout);
} else {
  console.error("usage: tsx tools/large-store.ts make DIR | measure COMMAND... | thin-xml");
  process.exitCode = 2;
}
