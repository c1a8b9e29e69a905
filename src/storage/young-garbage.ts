import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { readonly type: 'minor' }) => void

/** Young garbage is collected after so many bytes. */
const GARBAGE_BYTES = 6 * 1024 * 1024

let collect: Collect | null = null
let passed = 0

/**
 * Counts bytes that went through buffers of this thread, and collects what was allocated lately and is not needed any
 * more once they are many. Buffers are small objects that hold much outside the heap: the engine sees hardly any
 * garbage, then much memory outside, and walks the whole heap to find what a look at its young part finds in a
 * millisecond.
 */
export function passedThrough(bytes: number): void {
  passed += bytes
  if (passed < GARBAGE_BYTES) return
  passed = 0
  collect ??= exposed()
  collect({ type: 'minor' })
}

function exposed(): Collect {
  setFlagsFromString('--expose-gc')
  const found: unknown = runInNewContext('gc')
  return typeof found === 'function' ? (found as Collect) : () => undefined
}
