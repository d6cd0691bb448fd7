/**
 * Where a path that a traced program has used really leads. The traced directory is known without
 * the symbolic links in its path; a program may come to it through any of them, and calls that
 * change names return no descriptor that would tell.
 */
import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export class RealPaths {
  readonly #known = new Map<string, string>();

  /** The path of a name, which may be a link itself, in the folder where it really is. */
  ofName(path: string): string {
    return path === "/" ? path : join(this.of(dirname(path)), basename(path));
  }

  /** All links followed; as far as it is still there, for the program has ended. */
  of(path: string): string {
    let real = this.#known.get(path);
    if (real === undefined) this.#known.set(path, (real = this.#find(path)));
    return real;
  }

  #find(path: string): string {
    // Its links are those of whoever looks.
    if (path === "/" || path.startsWith("/proc/")) return path;
    try {
      return realpathSync(path);
    } catch {
      return this.ofName(path);
    }
  }
}
