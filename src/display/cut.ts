/** The beginning of a text that is too long, and `…`. A pair of surrogates stays whole: half of one cannot be saved. */
export function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}
