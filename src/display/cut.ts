/** The beginning of a text that is too long, and `…`. A pair of surrogates stays whole: half of one cannot be saved. */
export function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** The same, with how long the whole text is. */
export const cutWithCount = (text: string, longest: number): string =>
  text.length <= longest ? text : `${cut(text, longest)} (${text.length.toLocaleString('en')} characters)`
