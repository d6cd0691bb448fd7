/**
 * `blockspace/nbd`: a server of the NBD protocol for the subvolumes and snapshots of a host. Any
 * NBD client can use them as disks: qemu, libnbd's tools, fio, the Linux kernel.
 */
export { type ListenAddress, NBD_PORT } from "./listen.ts";
export { NbdServer, type NbdServerOptions } from "./server.ts";
export type { NbdTlsOptions } from "./tls.ts";
export type { Log } from "./watch.ts";
