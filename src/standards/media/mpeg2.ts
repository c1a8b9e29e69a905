import type { ByteSource } from '../byte-source.ts'

/** What an MPEG-2 video stream says of itself. ISO/IEC 13818-2 section 6.2. */
export interface Mpeg2Video {
  readonly container: 'elementary' | 'program' | 'transport'
  readonly columns: number
  readonly rows: number
  readonly framesPerSecond: number
  /** Aspect ratio information: 1 square pixels, 2 the picture is 4:3, 3 it is 16:9. */
  readonly aspect: number
  readonly profile: 'simple' | 'main' | 'snr' | 'spatial' | 'high' | null
  readonly level: 'low' | 'main' | 'high-1440' | 'high' | null
  /** 1 is 4:2:0. */
  readonly chromaFormat: number
  readonly frames: number
}

const RATES = [0, 24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60]
const PROFILES: { readonly [code: number]: Mpeg2Video['profile'] } = {
  1: 'high',
  2: 'spatial',
  3: 'snr',
  4: 'main',
  5: 'simple',
}
const LEVELS: { readonly [code: number]: Mpeg2Video['level'] } = { 4: 'high', 6: 'high-1440', 8: 'main', 10: 'low' }
const CHUNK_BYTES = 1024 * 1024
/** Bytes that are no packet, in a whole program stream: what is damaged more than that is not read on. */
const JUNK_BYTES_MAX = 1024 * 1024

/**
 * Reads a whole MPEG-2 stream once: what its first sequence header says, and how many pictures follow. Two fields are
 * one frame. It takes as long as reading the stream does: nothing for a thread that others wait for.
 * @returns null when no MPEG-2 sequence is found: MPEG-1 has no sequence extension
 */
export function readMpeg2(source: ByteSource): Mpeg2Video | null {
  const container = containerOf(source)
  if (container === null) return null
  const scan = new VideoScan()
  const parts = partsOf(container, source)
  for (const part of parts) scan.push(part)
  return scan.result(container)
}

function partsOf(container: Mpeg2Video['container'], source: ByteSource): Generator<Uint8Array> {
  if (container === 'elementary') return chunks(source)
  return container === 'transport' ? transport(buffered(source)) : program(buffered(source))
}

/** Packets are small and many: they are cut out of one large read. */
function buffered(source: ByteSource): ByteSource {
  if (source.memory !== undefined) return source
  let from = 0
  let held = new Uint8Array(0)
  return {
    size: source.size,
    read: (start, end) => {
      if (start < from || Math.min(end, source.size) > from + held.length) {
        from = start
        held = new Uint8Array(source.read(start, Math.max(end, start + CHUNK_BYTES)))
      }
      return held.subarray(start - from, end - from)
    },
  }
}

function containerOf(source: ByteSource): Mpeg2Video['container'] | null {
  const head = new Uint8Array(source.read(0, 189))
  if (head[0] === 0x47 && head[188] === 0x47) return 'transport'
  if (head[0] !== 0 || head[1] !== 0 || head[2] !== 1) return null
  return head[3] === 0xba ? 'program' : head[3] === 0xb3 ? 'elementary' : null
}

function* chunks(source: ByteSource, start = 0, end = source.size): Generator<Uint8Array> {
  for (let at = start; at < end; at += CHUNK_BYTES) yield source.read(at, Math.min(end, at + CHUNK_BYTES))
}

/** Bytes of a PES packet before its payload. ISO/IEC 13818-1 section 2.4.3.6. */
function pesHeaderBytes(packet: Uint8Array): number {
  return 9 + (packet[8] ?? 0)
}

/** Video payload of the first video stream (E0 to EF) of a program stream. */
function* program(source: ByteSource): Generator<Uint8Array> {
  let wanted: number | null = null
  let at = 0
  let junk = 0
  while (at + 4 <= source.size && junk < JUNK_BYTES_MAX) {
    const head = new Uint8Array(source.read(at, at + 14))
    if (head[0] !== 0 || head[1] !== 0 || head[2] !== 1) {
      at += 1
      junk += 1
      continue
    }
    const id = head[3] ?? 0
    if (id === 0xb9) return
    if (id === 0xba) {
      at += 14 + ((head[13] ?? 0) & 7)
      continue
    }
    const length = ((head[4] ?? 0) << 8) | (head[5] ?? 0)
    const end = Math.min(source.size, at + 6 + length)
    if (id >= 0xe0 && id <= 0xef && (wanted === null || wanted === id)) {
      wanted = id
      yield* chunks(source, Math.min(end, at + pesHeaderBytes(head)), end)
    }
    at = Math.max(end, at + 6)
  }
}

/** Video payload of a transport stream: of the first PID whose packets begin a video PES. */
function* transport(source: ByteSource): Generator<Uint8Array> {
  let wanted: number | null = null
  for (let at = 0; at + 188 <= source.size; at += 188) {
    const packet = new Uint8Array(source.read(at, at + 188))
    if (packet[0] !== 0x47) return
    const pid = (((packet[1] ?? 0) & 0x1f) << 8) | (packet[2] ?? 0)
    const control = ((packet[3] ?? 0) >>> 4) & 3
    if ((control & 1) === 0 || (wanted !== null && pid !== wanted)) continue
    const payload = packet.subarray(control === 3 ? Math.min(188, 5 + (packet[4] ?? 0)) : 4)
    const begins = ((packet[1] ?? 0) & 0x40) !== 0
    if (!begins) {
      if (wanted !== null) yield payload
      continue
    }
    const isPes = payload[0] === 0 && payload[1] === 0 && payload[2] === 1
    if (!isPes || (payload[3] ?? 0) < 0xe0 || (payload[3] ?? 0) > 0xef) continue
    wanted = pid
    yield payload.subarray(pesHeaderBytes(payload))
  }
}

/** Looks at start codes of an elementary stream that comes in parts. */
class VideoScan {
  #window = 0xffffffff
  /** Bytes still wanted behind a start code, and the code. */
  #code = 0
  #collected: number[] = []
  #wanted = 0
  #sequence: readonly number[] | null = null
  #extension: readonly number[] | null = null
  #fields = 0

  push(part: Uint8Array): void {
    for (const byte of part) {
      if (this.#wanted > 0) {
        this.#collected.push(byte)
        if (--this.#wanted === 0) this.#header(this.#code, this.#collected)
      }
      this.#window = ((this.#window << 8) | byte) >>> 0
      if (this.#window >>> 8 !== 1) continue
      this.#code = byte
      this.#collected = []
      this.#wanted = byte === 0xb3 ? 8 : byte === 0xb5 ? 6 : 0
    }
  }

  #header(code: number, bytes: readonly number[]): void {
    if (code === 0xb3) {
      this.#sequence ??= bytes
      return
    }
    const id = (bytes[0] ?? 0) >>> 4
    if (id === 1) this.#extension ??= bytes
    // Picture coding extension: structure 3 is a frame, 1 and 2 are fields.
    else if (id === 8) this.#fields += ((bytes[2] ?? 0) & 3) === 3 ? 2 : 1
  }

  result(container: Mpeg2Video['container']): Mpeg2Video | null {
    const [s, x] = [this.#sequence, this.#extension]
    if (s === null || x === null) return null
    const at = (bytes: readonly number[], index: number) => bytes[index] ?? 0
    const indication = ((at(x, 0) & 15) << 4) | (at(x, 1) >>> 4)
    const wide = ((at(x, 1) & 1) << 1) | (at(x, 2) >>> 7)
    const high = (at(x, 2) >>> 5) & 3
    const rate = RATES[at(s, 3) & 15] ?? 0
    const escaped = (indication & 0x80) !== 0
    return {
      container,
      columns: (wide << 12) | (at(s, 0) << 4) | (at(s, 1) >>> 4),
      rows: (high << 12) | ((at(s, 1) & 15) << 8) | at(s, 2),
      framesPerSecond: (rate * (((at(x, 5) >>> 5) & 3) + 1)) / ((at(x, 5) & 31) + 1),
      aspect: at(s, 3) >>> 4,
      profile: escaped ? null : (PROFILES[(indication >>> 4) & 7] ?? null),
      level: escaped ? null : (LEVELS[indication & 15] ?? null),
      chromaFormat: (at(x, 1) >>> 1) & 3,
      frames: Math.floor(this.#fields / 2),
    }
  }
}
