/** A file of pre-shared keys, `USER:HEX` on each line as GnuTLS's psktool makes it, for TLS. */
import { BlockspaceError } from "../base/errors.ts";
import type { NbdTlsOptions } from "../nbd/index.ts";

/** Ciphers that use a pre-shared key; node enables none unless told to. */
const PSK_CIPHERS = "PSK+AESGCM:PSK+CHACHA20:PSK+AES";

export function presharedKeys(text: string, file: string): NbdTlsOptions {
  const keys = new Map<string, Buffer>();
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const match = /^([^:\s]+):((?:[\da-f]{2}){8,64})$/i.exec(line.trim());
    if (!match) {
      throw new BlockspaceError("EINVAL", `${file}, line ${i + 1}: allowed is USER:HEX`);
    }
    keys.set(match[1]!, Buffer.from(match[2]!, "hex"));
  }
  if (keys.size === 0) throw new BlockspaceError("EINVAL", `${file} holds no keys`);
  return {
    ciphers: PSK_CIPHERS,
    pskCallback: (_socket, identity) => keys.get(identity) ?? null,
  };
}
