/** Mistakes in the maps and in the one place that changes them. */
import type { PlantedBug } from "../bug.ts";

const APPLY = "replay/apply.js";

export const mapBugs: readonly PlantedBug[] = [
  {
    name: "snapshot-not-counted",
    file: APPLY,
    find: "if (source.root !== 0)\n        state.nodes.retain(source.root);",
    replace: "",
    mistake: "a snapshot shares its source's root without counting a reference",
  },
  {
    name: "rollback-not-counted",
    file: APPLY,
    find: "if (root !== 0)\n        state.nodes.retain(root);",
    replace: "",
    mistake: "a rollback takes the snapshot's root without counting a reference",
  },
  {
    name: "rollback-leaks",
    file: APPLY,
    find: "if (target.root !== 0)\n        state.nodes.release(target.root);",
    replace: "",
    mistake: "a rollback does not give back the map that it replaces",
  },
  {
    name: "delete-leaks",
    file: APPLY,
    find: "if (root !== 0)\n        state.nodes.release(root);",
    replace: "",
    mistake: "a delete does not give back the map",
  },
  {
    name: "reference-counted-on-replay-only",
    file: APPLY,
    find: "    for (const record of commit.records)\n        apply(state, record);",
    replace:
      "    for (const record of commit.records) {\n        apply(state, record);\n" +
      "        const { root } = state.catalogue.get(record.source) ?? { root: 0 };\n" +
      '        if (record.type === "snapshot" && root !== 0)\n            state.nodes.retain(root);\n    }',
    mistake: "replay counts the reference of a snapshot twice",
  },
  {
    name: "shrinking-keeps-its-tail",
    file: APPLY,
    find: "if (after < before)",
    replace: "if (after < before - 1)",
    mistake: "off by one: what a smaller size cuts off stays mapped",
  },
  {
    name: "dead-nodes-not-stored",
    file: "replay/nodes.js",
    find: "const value = id < pages ? seal(kind, id, encodeNumberPage(page)) : null;",
    replace:
      "const value = id < pages && id < this.#storedDeadPages ? seal(kind, id, encodeNumberPage(page)) : null;",
    mistake: "a checkpoint forgets the first page of what is still to be reclaimed",
    first: 1,
  },
  {
    name: "node-ids-used-again",
    file: "replay/state.js",
    find: "this.nodes.next = value.nextNode;",
    replace: "",
    mistake: "an opened store gives new map nodes the ids of old ones",
  },
  {
    name: "shared-node-changed-in-place",
    file: "map/edit.js",
    find: "if (nodes.references(id) === 1)",
    replace: "if (nodes.references(id) <= 2)",
    mistake: "a write changes a map node that a snapshot has too",
  },
  {
    name: "first-sharer-moved-only",
    file: APPLY,
    find: "relocateUnder(state.tree, root, move, mine, visited);",
    replace:
      "{\n            relocateUnder(state.tree, root, move, mine, visited);\n            break;\n        }",
    mistake: "the cleaner moves a block for one of those who share it",
    first: 21,
  },
];
