/** What a process and its children cost: CPU seconds and proportional set size, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** The process and everything it started. */
export function tree(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readText(`/proc/${name}/stat`)
    if (stat === undefined) continue
    parents.set(Number(name), Number(afterName(stat)[1]))
  }
  const found = [pid]
  for (const parent of found) for (const [child, of] of parents) if (of === parent) found.push(child)
  return found
}

/** CPU seconds, user and system, of the whole tree and of its children that ended. Ticks are 1/100 s on Linux. */
export function cpuSeconds(pid: number): number {
  let ticks = 0
  for (const one of tree(pid)) {
    const stat = readText(`/proc/${one}/stat`)
    if (stat === undefined) continue
    const fields = afterName(stat)
    for (const time of fields.slice(11, 15)) ticks += Number(time)
  }
  return ticks / 100
}

/** Proportional set size of the whole tree, in bytes. */
export function memoryBytes(pid: number): number {
  let kib = 0
  for (const one of tree(pid)) {
    const rollup = readText(`/proc/${one}/smaps_rollup`)
    kib += Number(/^Pss:\s+(\d+)/m.exec(rollup ?? '')?.[1] ?? 0)
  }
  return kib * 1024
}

/** Samples memory every 50 ms until stopped. */
export function watchMemory(pid: number): { stop(): { readonly before: number; readonly peak: number } } {
  const before = memoryBytes(pid)
  let peak = before
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryBytes(pid))
  }, 50)
  return {
    stop() {
      clearInterval(timer)
      peak = Math.max(peak, memoryBytes(pid))
      return { before, peak }
    },
  }
}

/** Fields of /proc/PID/stat behind the name, which may hold spaces: index 0 is the state. proc(5). */
function afterName(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    // A process may end between being listed and being read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined
    throw error
  }
}
