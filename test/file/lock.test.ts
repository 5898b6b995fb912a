import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { isLocked, takeLock } from '../../src/file/lock.js'
import { temporaryFolder } from '../model/fixtures.js'

let places = 0
const folder = temporaryFolder()
const newPlace = (): string => {
  const place = join(folder, String(places++))
  mkdirSync(place)
  return join(place, '.run.lock')
}

/** A process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn('true')
  await new Promise((resolve) => child.once('exit', resolve))
  return child.pid!
}

const write = (path: string, holder: object): void => writeFileSync(path, JSON.stringify(holder))

it('is held by one, is given back, and leaves nothing', async () => {
  const path = newPlace()
  const lock = await takeLock(path, 'save: /run')
  await lock.check()
  expect(await isLocked(path)).toBe(true)
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() })
  await expect(takeLock(path, 'save: /run')).rejects.toThrow('save: /run is being written by this process')
  await lock.release()
  await lock.release()
  expect(readdirSync(dirname(path))).toEqual([])
  expect(await isLocked(path)).toBe(false)
})

it('of a process that has ended, or of an earlier one with the same number, is taken over', async () => {
  for (const holder of [
    { pid: await deadPid(), started: '' },
    { pid: process.pid, started: 'another boot 1' },
  ]) {
    const path = newPlace()
    write(path, { ...holder, host: hostname(), token: 'a' })
    expect(await isLocked(path)).toBe(false)
    await (await takeLock(path, 'save: /run')).release()
    expect(readdirSync(dirname(path))).toEqual([])
  }
})

it('of a running process, or of one of another host, is refused with its name and a remedy', async () => {
  const path = newPlace()
  write(path, { pid: process.ppid, started: '', host: hostname(), token: 'a' })
  await expect(takeLock(path, 'save: /run')).rejects.toThrow(
    `save: /run is being written by process ${process.ppid}; wait for its end, or choose another folder`,
  )
  write(path, { pid: 1, started: '', host: 'elsewhere', token: 'a' })
  await expect(takeLock(path, 'save: /run')).rejects.toThrow(
    `by process 1 of elsewhere; wait for its end, or, if it no longer runs, delete ${path}`,
  )
  expect(existsSync(path)).toBe(true)
})

it('that names nobody is taken over when it is old, as is a takeover that was cut short', async () => {
  const path = newPlace()
  writeFileSync(path, '')
  utimesSync(path, 1, 1)
  mkdirSync(`${path}.takeover`)
  utimesSync(`${path}.takeover`, 1, 1)
  await (await takeLock(path, 'save: /run')).release()
  expect(readdirSync(dirname(path))).toEqual([])
})

it('is got by exactly one of many who find it of a dead process', async () => {
  for (let round = 0; round < 20; round++) {
    const path = newPlace()
    write(path, { pid: await deadPid(), started: '', host: hostname(), token: 'a' })
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path, 'save: /run')))
    const got = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    expect(got).toHaveLength(1)
    await got[0]!.release()
    expect(readdirSync(dirname(path))).toEqual([])
  }
})

it('that somebody has deleted, or taken, is noticed and left to the other', async () => {
  const path = newPlace()
  const lock = await takeLock(path, 'save: /run')
  write(path, { pid: process.ppid, started: '', host: hostname(), token: 'b' })
  await expect(lock.check()).rejects.toThrow(`save: /run has lost its lock ${path}`)
  await lock.release()
  expect(existsSync(path)).toBe(true)
})
