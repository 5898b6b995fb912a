/** One record of a file, or what is wrong in its place: a reader of a thousand rows goes on behind a broken one. */
export interface FileRecord {
  /** Where it is, for messages: `line 3`. */
  place: string
  /** What stands there. */
  value?: unknown
  /** Why there is no value, as the end of a sentence about the place. */
  fault?: string
}

/** The start of a text, for messages. */
export const quote = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text)
