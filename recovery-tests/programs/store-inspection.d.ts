/** The types of the inspection. */
export function inspect(path: string): Promise<{ content: string } | { error: string }>;
