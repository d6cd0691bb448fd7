/** The types of the inspection. */
export function inspect(
  path: string,
  long: boolean,
): Promise<{ content: string } | { error: string }>;
