/** For `JSON.stringify`: half of a surrogate pair, which other readers of JSON refuse, becomes U+FFFD. */
export const wellFormed = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? Buffer.from(value).toString() : value
