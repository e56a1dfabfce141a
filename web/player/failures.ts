/** Says what an HTTP status (0: no answer) means to a viewer. */
export function describe(status: number): string {
  if (status === 404 || status === 410) return 'This video does not exist or is no longer available.';
  if (status === 403) return 'This video cannot be watched from here.';
  if (status >= 500) return 'The server cannot deliver this video right now.';
  return 'The video could not be loaded. Check the connection and try again.';
}

export function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name;
}
