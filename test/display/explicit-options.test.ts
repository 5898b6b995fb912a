import { expect, it } from 'vitest'
import * as zs from '../../src/index.js'

it.each([
  [() => zs.html(3 as unknown as string), 'html: markup must be a text, got 3'],
  [() => zs.markdown(null as unknown as string), 'markdown: text must be a text, got null'],
  [() => zs.svg({} as unknown as string), 'svg: text must be a text, got {}'],
  [() => zs.png('no' as unknown as Uint8Array), "png: bytes must be the bytes of a PNG file, got 'no'"],
  [() => zs.foldingLog(NaN as unknown as string), 'folding log: title must be a text, got NaN'],
  [() => zs.mini.checkpoint('../x' as 'policy'), 'mini checkpoint: name must be one of'],
])('what is no text is refused by name: %#', (call, message) => {
  expect(call).toThrow(message)
})

it('a set or a split that does not exist is refused by name', async () => {
  await expect(zs.mini.questions('nq' as 'mini-nq', 'train')).rejects.toThrow('mini questions: dataset must be one of')
  await expect(zs.mini.documents('dev' as 'test')).rejects.toThrow('mini documents: split must be one of')
})
