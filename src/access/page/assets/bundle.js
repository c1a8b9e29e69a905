import { crc32 } from './checksum.js'

/** A ZIP above these would need the ZIP64 form; the files are then sent in several bundles. */
const BUNDLE_BYTES_MAX = 2 * 1024 ** 3
const BUNDLE_FILES_MAX = 20_000

/** 1980-01-01, the earliest time a ZIP can say: the time on this machine is nobody's business. */
const DOS_DATE = 0x0021

/**
 * Groups files for sending: one bundle for many small ones, so that they are flushed together; a large one alone.
 * @param {{ path: string, file: File }[]} files
 */
export function bundles(files) {
  const groups = []
  let group = []
  let bytes = 0
  for (const entry of files) {
    if (entry.file.size > BUNDLE_BYTES_MAX / 8) {
      groups.push([entry])
      continue
    }
    if (group.length >= BUNDLE_FILES_MAX || bytes + entry.file.size > BUNDLE_BYTES_MAX) {
      groups.push(group)
      group = []
      bytes = 0
    }
    group.push(entry)
    bytes += entry.file.size
  }
  if (group.length > 0) groups.push(group)
  return groups
}

/**
 * A ZIP (stored, not packed) as a Blob that refers to the files: the browser reads them when they are sent.
 * @param {{ path: string, file: File }[]} files
 * @param {(bytes: number) => void} progress told of bytes whose checksum is known
 */
export async function zipOf(files, progress) {
  const parts = []
  const directory = []
  let offset = 0
  for (const { path, file } of files) {
    const name = new TextEncoder().encode(path)
    let checksum = 0
    const reader = file.stream().getReader()
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      checksum = crc32(piece.value, checksum)
      progress(piece.value.length)
    }
    const common = header(checksum, file.size, name.length)
    const local = new Uint8Array(4 + common.length + name.length)
    local.set([0x50, 0x4b, 3, 4])
    local.set(common, 4)
    local.set(name, 4 + common.length)
    const central = new Uint8Array(46 + name.length)
    central.set([0x50, 0x4b, 1, 2, 20, 0])
    central.set(common, 6)
    new DataView(central.buffer).setUint32(42, offset, true)
    central.set(name, 46)
    parts.push(local, file)
    directory.push(central)
    offset += local.length + file.size
  }
  const directorySize = directory.reduce((sum, { length }) => sum + length, 0)
  const end = new Uint8Array(22)
  const view = new DataView(end.buffer)
  end.set([0x50, 0x4b, 5, 6])
  view.setUint16(8, directory.length, true)
  view.setUint16(10, directory.length, true)
  view.setUint32(12, directorySize, true)
  view.setUint32(16, offset, true)
  return new Blob([...parts, ...directory, end])
}

/** The 26 bytes that a local header and its directory entry share. APPNOTE 4.3.7, 4.3.12. */
function header(checksum, size, nameLength) {
  const bytes = new Uint8Array(26)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 20, true)
  view.setUint16(2, 0x0800, true) // names are UTF-8
  view.setUint16(8, DOS_DATE, true)
  view.setUint32(10, checksum, true)
  view.setUint32(14, size, true)
  view.setUint32(18, size, true)
  view.setUint16(22, nameLength, true)
  return bytes
}
