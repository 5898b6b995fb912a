import { getEventListeners } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { abortable } from '../../src/signal/abortable.js'

const never = new Promise<never>(() => undefined)

it('gives what the promise gives, and lets go of the signal', async () => {
  const { signal } = new AbortController()
  expect(await abortable(Promise.resolve(1), signal)).toBe(1)
  expect(await abortable(Promise.resolve(2), undefined)).toBe(2)
  await expect(abortable(Promise.reject(new Error('mine')), signal)).rejects.toThrow('mine')
  await turn()
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

it('rejects at once with the signal’s reason, or with one of its own', async () => {
  const stop = new AbortController()
  const waiting = [abortable(never, stop.signal), abortable(never, stop.signal, () => new Error('stopped: mine'))]
  stop.abort(new Error('by the button'))
  await expect(waiting[0]).rejects.toThrow('by the button')
  await expect(waiting[1]).rejects.toThrow('stopped: mine')
  await expect(abortable(never, stop.signal)).rejects.toThrow('by the button')
})

it('takes care of a promise that fails after the stop', async () => {
  const unhandled: unknown[] = []
  const listen = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', listen)
  const signal = AbortSignal.abort(new Error('by the button'))
  await expect(
    abortable(
      turn().then(() => Promise.reject(new Error('late'))),
      signal,
    ),
  ).rejects.toThrow('by the button')
  await turn()
  await turn()
  process.off('unhandledRejection', listen)
  expect(unhandled).toEqual([])
})
