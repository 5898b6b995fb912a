export const END_OF_TEXT = '<|endoftext|>'
export const SPECIAL = [
  END_OF_TEXT,
  '<think>',
  '</think>',
  '<search>',
  '</search>',
  '<information>',
  '</information>',
  '<answer>',
  '</answer>',
]
