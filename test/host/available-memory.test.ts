import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { availableMemory } from '../../src/host/available-memory.js'

const folders: string[] = []
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })))

/** A file system of these files alone. */
function machine(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'machine-'))
  folders.push(root)
  const all = { 'proc/meminfo': 'MemTotal: 32000000 kB\nMemAvailable:   16000000 kB\n', ...files }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

const GB = 2 ** 30

describe('available memory', () => {
  it('is what the machine has free where nothing limits the process', () => {
    expect(availableMemory(machine({}))).toBe(16_000_000 * 1024)
    const unlimited = { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/memory.max': 'max\n' }
    expect(availableMemory(machine(unlimited))).toBe(16_000_000 * 1024)
    expect(availableMemory()).toBeGreaterThan(2 ** 20)
  })

  it('is what a container’s limit leaves, caches of files not counted', () => {
    const root = machine({
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/memory.max': `${4 * GB}\n`,
      'sys/fs/cgroup/memory.current': `${3 * GB}\n`,
      'sys/fs/cgroup/memory.stat': `anon ${GB}\ninactive_file ${2 * GB}\n`,
    })
    expect(availableMemory(root)).toBe(3 * GB)
  })

  it('is what the narrowest of nested groups leaves', () => {
    const root = machine({
      'proc/self/cgroup': '0::/user.slice/job-7\n',
      'sys/fs/cgroup/user.slice/memory.max': `${2 * GB}\n`,
      'sys/fs/cgroup/user.slice/memory.current': `${GB}\n`,
      'sys/fs/cgroup/user.slice/job-7/memory.max': `${8 * GB}\n`,
      'sys/fs/cgroup/user.slice/job-7/memory.current': `${GB / 2}\n`,
    })
    expect(availableMemory(root)).toBe(GB)
  })

  it('knows the older groups, whose path in a container is the host’s', () => {
    const root = machine({
      'proc/self/cgroup': '12:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': `${6 * GB}\n`,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': `${2 * GB}\n`,
      'sys/fs/cgroup/memory/memory.stat': `total_inactive_file ${GB}\n`,
    })
    expect(availableMemory(root)).toBe(5 * GB)
  })

  it('is never negative', () => {
    const root = machine({
      'proc/self/cgroup': '0::/\n',
      'sys/fs/cgroup/memory.max': `${GB}\n`,
      'sys/fs/cgroup/memory.current': `${2 * GB}\n`,
    })
    expect(availableMemory(root)).toBe(0)
  })
})
