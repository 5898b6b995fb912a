/** Thoughts, then one action, then nothing: the shape of a good message. The group is the action's tag. */
const MESSAGE = /^(?:\s*<think>(?:(?!<\/?\w+>)[^])*<\/think>)*\s*<(search|answer)>(?:(?!<\/?\w+>)[^])+<\/\1>\s*$/

/**
 * Share of the policy's messages that have the protocol's shape, in [0, 1]: any thoughts in `<think>`, then one
 * `<search>` or `<answer>` that is not empty, and nothing after it. The last message must answer, the others search;
 * text outside tags, broken tags, and `<information>` that the policy writes itself make a message bad.
 * @example
 * const reward = ({ turns }: zs.Trajectory) => zs.formatScore(turns.map((turn) => turn.text))
 */
export function formatScore(messages: readonly string[]): number {
  if (messages.length === 0) return 0
  const good = messages.filter((message, i) => {
    const action = MESSAGE.exec(message)?.[1]
    return action === (i === messages.length - 1 ? 'answer' : 'search')
  })
  return good.length / messages.length
}
