import { once } from 'node:events'
import type { Emit, Line, Progress } from './command.ts'

const KEPT_MS = 100

/** Prints what a command tells: results on stdout, prose on stderr, a progress line on a terminal. */
export class Terminal {
  readonly #json: boolean
  readonly #out: NodeJS.WriteStream
  readonly #error: NodeJS.WriteStream
  readonly #closed = new Set<NodeJS.WriteStream>()
  #progressShown = false
  #progressAtMs = 0

  constructor(json: boolean, out: NodeJS.WriteStream = process.stdout, error: NodeJS.WriteStream = process.stderr) {
    this.#json = json
    this.#out = out
    this.#error = error
    // A reader that went away (a closed pipe) is no reason to stop what is being stored.
    for (const stream of [out, error]) {
      stream.on('error', (failure: NodeJS.ErrnoException) => {
        if (failure.code !== 'EPIPE') throw failure
        this.#closed.add(stream)
      })
    }
  }

  readonly emit: Emit = (line: Line) => {
    if (line.progress !== undefined) this.#progress(line.progress)
    if (line.heading !== undefined && !this.#json && this.#out.isTTY) return this.#write(this.#out, plain(line.heading))
    if (line.note !== undefined) this.#write(this.#error, plain(line.note))
    if (this.#json) {
      if (line.json !== undefined) return this.#write(this.#out, JSON.stringify(line.json))
      if (line.text !== undefined) return this.#write(this.#error, plain(line.text))
      return
    }
    if (line.text !== undefined) return this.#write(this.#out, plain(line.text))
    return
  }

  /** Takes the progress line away. */
  end(): void {
    if (!this.#progressShown) return
    this.#error.write('\r\u001b[2K')
    this.#progressShown = false
  }

  #progress(progress: Progress): void {
    if (!this.#error.isTTY) return
    const now = performance.now()
    if (now - this.#progressAtMs < KEPT_MS) return
    this.#progressAtMs = now
    this.#progressShown = true
    this.#error.write(`\r\u001b[2K${progressLine(progress, this.#error.columns || 80)}`)
  }

  /** @returns a promise while the stream is full: whoever reads slowly slows the command down */
  #write(stream: NodeJS.WriteStream, text: string): Promise<void> | void {
    this.end()
    if (this.#closed.has(stream) || stream.write(`${text}\n`)) return
    return Promise.race([once(stream, 'drain'), once(stream, 'close')]).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error
      },
    )
  }
}

/** One line: how many, how fast, and the counts. Never wider than the terminal. */
export function progressLine({ done, bytes, seconds, counts }: Progress, columns: number): string {
  const rate = seconds > 0 ? done / seconds : 0
  const flow = seconds > 0 ? bytes / seconds : 0
  const parts = [`${grouped(done)} files`, sizeText(bytes), `${grouped(Math.round(rate))}/s`, `${sizeText(flow)}/s`]
  for (const [name, count] of Object.entries(counts)) if (count > 0) parts.push(`${name} ${grouped(count)}`)
  return parts.join('  ').slice(0, Math.max(10, columns - 1))
}

function grouped(value: number): string {
  return value.toLocaleString('en')
}

/** Bytes with a binary unit, three digits. */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** As `plain`, for what must stay one line: a name on a medium cannot forge the line of another file. */
export function oneLine(text: string): string {
  return plain(text).replace(/[\n\t]/g, (character) => (character === '\n' ? '\\u000a' : '\\u0009'))
}

/** Names from media may carry control and direction characters; a terminal must not obey them. threats.md E1, R16. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}|\p{Bidi_Control}/gu, (character) => {
    if (character === '\n' || character === '\t') return character
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** `1 file`, `2 files`. */
export function fileCount(files: number): string {
  return `${files} file${files === 1 ? '' : 's'}`
}
