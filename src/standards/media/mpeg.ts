import type { ByteSource } from '../byte-source.ts'

export type MpegForm = 'program-stream' | 'transport-stream' | 'video-stream'

const SYNC = 0x47
/** Lengths of a transport packet: plain, with a time stamp before (M2TS), with error correction behind. */
const packetBytes = [188, 192, 204] as const
/** So many packets in a row must begin with the sync byte. */
const PACKETS = 5

/**
 * Tells MPEG streams by their structure: one start code is not enough, the next fields must make sense.
 * ISO/IEC 13818-1 sections 2.4.3.2 (transport packet) and 2.5.3.3 (pack header), 13818-2 section 6.2.2.1 (sequence).
 */
export function mpegForm(source: ByteSource): MpegForm | null {
  const head = source.read(0, Math.min(source.size, 204 * (PACKETS + 1)))
  if (head[0] === 0 && head[1] === 0 && head[2] === 1) {
    if (head[3] === 0xba && isPack(head)) return 'program-stream'
    if (head[3] === 0xb3 && isSequence(head)) return 'video-stream'
  }
  for (const length of packetBytes) {
    const lead = length === 192 ? 4 : 0
    if (head.byteLength < lead + length * (PACKETS - 1) + 4) continue
    let all = true
    for (let packet = 0; packet < PACKETS && all; packet++) {
      const at = lead + packet * length
      // Scrambling or adaptation control 00 is reserved: no packet has it.
      all = head[at] === SYNC && ((head[at + 3] ?? 0) & 0x30) !== 0
    }
    if (all) return 'transport-stream'
  }
  return null
}

/** MPEG-2 packs begin `01`, MPEG-1 packs `0010`, and marker bits follow. */
function isPack(head: Uint8Array): boolean {
  if (head.byteLength < 12) return false
  const first = head[4] as number
  if ((first & 0xc4) === 0x44) return ((head[6] as number) & 4) === 4 && ((head[8] as number) & 4) === 4
  return (first & 0xf1) === 0x21 && ((head[6] as number) & 1) === 1 && ((head[8] as number) & 1) === 1
}

/** Width and height above zero, a defined aspect and frame rate, the marker bit set. */
function isSequence(head: Uint8Array): boolean {
  if (head.byteLength < 12) return false
  const size = ((head[4] as number) << 16) | ((head[5] as number) << 8) | (head[6] as number)
  const rate = (head[7] as number) & 15
  return (
    size >> 12 > 0 &&
    (size & 0xfff) > 0 &&
    (head[7] as number) >> 4 > 0 &&
    rate > 0 &&
    rate < 9 &&
    ((head[10] as number) & 0x20) !== 0
  )
}
