/** How an audit says that a state is wrong: an error that names what was found. */
export function fail(message: string): never {
  throw new Error(`audit: ${message}`);
}
