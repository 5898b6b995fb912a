// Tokens of RetroLLM's own: the parts of its text, and what separates two of a kind.

export const [CLUE, END_CLUE] = ['<|clue|>', '<|/clue|>'] as const
export const [EVIDENCE, END_EVIDENCE] = ['<|evidence|>', '<|/evidence|>'] as const
export const NEXT = '<|sep|>'
export const MARKS: readonly string[] = [CLUE, END_CLUE, EVIDENCE, END_EVIDENCE, NEXT]
