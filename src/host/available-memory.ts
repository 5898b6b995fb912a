import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Bytes that this process can still take: what the machine has free, or a container's or batch system's limit leaves, if
 * that is less. Caches of files count as free, for the system drops them.
 * @param root Where the file system begins, for tests.
 */
export function availableMemory(root = '/'): number {
  const file = (...path: string[]): string | undefined => {
    try {
      return readFileSync(join(root, ...path), 'utf8')
    } catch {
      return undefined
    }
  }
  const free = /^MemAvailable:\s+(\d+) kB/m.exec(file('proc/meminfo') ?? '')?.[1]
  const machine = free === undefined ? process.availableMemory() : Number(free) * 1024
  return Math.min(machine, ...cgroups(file('proc/self/cgroup')).map((group) => left(group, file)))
}

type ReadFile = (...path: string[]) => string | undefined

interface Group {
  folder: string
  version: 1 | 2
}

/** The process's control groups and all that they lie in: each may have a limit. */
function cgroups(text = ''): Group[] {
  const groups: Group[] = []
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined) continue
    const version = controllers === '' ? 2 : 1
    if (version === 1 && !controllers!.split(',').includes('memory')) continue
    const top = version === 2 ? 'sys/fs/cgroup' : 'sys/fs/cgroup/memory'
    // Inside of a container the path may be that of the host, while the container's own group is mounted on top.
    for (let at = path; ; at = dirname(at)) {
      groups.push({ folder: join(top, at), version })
      if (at === '/') break
    }
  }
  return groups
}

function left({ folder, version }: Group, file: ReadFile): number {
  const names =
    version === 2
      ? { limit: 'memory.max', used: 'memory.current', cache: /^inactive_file (\d+)/m }
      : { limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', cache: /^total_inactive_file (\d+)/m }
  const limit = Number(file(folder, names.limit) ?? Number.NaN)
  const used = Number(file(folder, names.used) ?? Number.NaN)
  // `max` means that there is no limit.
  if (!Number.isFinite(limit) || !Number.isFinite(used)) return Infinity
  const cache = Number(names.cache.exec(file(folder, 'memory.stat') ?? '')?.[1] ?? 0)
  return Math.max(0, limit - used + cache)
}
