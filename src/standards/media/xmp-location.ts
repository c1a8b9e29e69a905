import type { Range } from './patch.ts'

/** Properties that say where, under whatever prefix. XMP part 2: exif, photoshop, Iptc4xmpCore, Iptc4xmpExt. */
const NAMES =
  '(?:GPS[A-Za-z]*|City|State|Country|CountryName|CountryCode|ProvinceState|Sublocation|Location|LocationCreated|LocationShown|LocationName|WorldRegion|geotag|Latitude|Longitude|latitude|longitude|lat|long)'
const PREFIX = '[A-Za-z_][\\w.-]{0,63}:'

/** Larger packets hold pictures; they are blanked whole when they name a place at all. */
const PACKET_BYTES_MAX = 16 * 1024 * 1024

/**
 * Where an XMP packet names a place: values of attributes and content of elements, so that both can be blanked without
 * moving anything. What is blank already is left out.
 *
 * @returns offsets in `packet`
 */
export function xmpLocations(packet: Uint8Array): Range[] {
  return named(packet).filter((range) => !isBlank(packet, range))
}

function isBlank(bytes: Uint8Array, { start, end }: Range): boolean {
  return bytes.subarray(start, end).every((byte) => byte === 0x20)
}

function named(packet: Uint8Array): Range[] {
  const text = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength).toString('latin1')
  const all = [{ start: 0, end: packet.byteLength }]
  // Wide characters and entities of its own hide names; nobody writes either.
  if (text.includes('\0') || text.includes('<!ENTITY')) return all
  if (!new RegExp(`${PREFIX}${NAMES}\\b`).test(text)) return []
  if (packet.byteLength > PACKET_BYTES_MAX) return all
  const ranges: Range[] = []
  const attribute = new RegExp(`[\\s"']${PREFIX}${NAMES}\\s{0,16}=\\s{0,16}(["'])`, 'g')
  for (let match = attribute.exec(text); match !== null; match = attribute.exec(text)) {
    const start = match.index + match[0].length
    const end = text.indexOf(match[1] as string, start)
    ranges.push({ start, end: end < 0 ? text.length : end })
    if (end < 0) return ranges
    // The quote may be what stands before the next attribute.
    attribute.lastIndex = end
  }
  const element = new RegExp(`<(${PREFIX}${NAMES})(?=[\\s>])`, 'g')
  for (let match = element.exec(text); match !== null; match = element.exec(text)) {
    const open = text.indexOf('>', match.index)
    if (open < 0) break
    if (text[open - 1] === '/') continue
    const close = text.indexOf(`</${match[1]}`, open)
    ranges.push({ start: open + 1, end: close < 0 ? text.length : close })
    if (close < 0) break
    element.lastIndex = close
  }
  return ranges
}

/** Datasets of record 2 that say where: IPTC IIM 4.2 chapter 6. */
const places = new Set([26, 27, 90, 92, 95, 100, 101])

/** Where IIM records, in a Photoshop resource or alone, name a place. @returns offsets in `block` */
export function iptcLocations(block: Uint8Array): Range[] {
  const ranges: Range[] = []
  for (let at = block.indexOf(0x1c); at >= 0 && at + 5 <= block.byteLength; at = block.indexOf(0x1c, at + 1)) {
    const length = ((block[at + 3] as number) << 8) | (block[at + 4] as number)
    const end = at + 5 + length
    if (block[at + 1] === 2 && places.has(block[at + 2] as number) && length < 0x8000 && end <= block.byteLength) {
      ranges.push({ start: at + 5, end })
    }
  }
  return ranges.filter((range) => !isBlank(block, range))
}
