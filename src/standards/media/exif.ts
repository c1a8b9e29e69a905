import type { ByteSource } from '../byte-source.ts'
import { toUtc } from '../text/pdf-date.ts'
import { type ExifDirectory, fieldNumbers, fieldText, walkExif } from './exif-directories.ts'
import { firstExif } from './metadata-blocks.ts'

/** What a camera wrote into a photograph. EXIF 2.32. */
export interface ExifFacts {
  /** How the picture is to be turned, 1 to 8; 1 is upright. TIFF 6.0 "Orientation". */
  readonly orientation: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8
  /** ISO 8601: with `Z` when the camera knew its offset, else local time without. */
  readonly taken: string | null
  readonly make: string | null
  readonly model: string | null
  readonly software: string | null
  /** There is a directory of positions with something in it. */
  readonly hasPosition: boolean
}

const TAG = { orientation: 0x0112, make: 0x010f, model: 0x0110, software: 0x0131, dateTime: 0x0132 } as const
const EXIF = { original: 0x9003, digitized: 0x9004, offsetTime: 0x9010, offsetOriginal: 0x9011 } as const

/** @returns null when the picture holds no EXIF that can be read */
export function readExif(word: 'jpeg' | 'png' | 'tiff' | 'heic', source: ByteSource): ExifFacts | null {
  const block = firstExif(word, source)
  const exif = block === null ? null : walkExif(block)
  if (block === null || exif === null) return null
  const image = exif.directories.find(({ kind }) => kind === 'image')
  const details = exif.directories.find(({ kind }) => kind === 'exif')
  const gps = exif.directories.find(({ kind }) => kind === 'gps')
  const text = (directory: ExifDirectory | undefined, tag: number): string | null => {
    const field = directory?.fields.find((one) => one.tag === tag && one.type === 2)
    return field === undefined ? null : fieldText(block, field)
  }
  const turned = image?.fields.find(({ tag }) => tag === TAG.orientation)
  const orientation = turned === undefined ? 1 : (fieldNumbers(block, exif.header, turned, 1)[0] ?? 1)
  const offset = text(details, EXIF.offsetOriginal) ?? text(details, EXIF.offsetTime)
  return {
    orientation: isOrientation(orientation) ? orientation : 1,
    taken:
      exifTime(text(details, EXIF.original), offset) ??
      exifTime(text(details, EXIF.digitized), offset) ??
      exifTime(text(image, TAG.dateTime), text(details, EXIF.offsetTime)),
    make: text(image, TAG.make),
    model: text(image, TAG.model),
    software: text(image, TAG.software),
    // A version number alone says nothing of where.
    hasPosition: gps?.fields.some(({ tag }) => tag !== 0) ?? false,
  }
}

function isOrientation(value: number): value is ExifFacts['orientation'] {
  return Number.isInteger(value) && value >= 1 && value <= 8
}

/** `2019:05:02 10:00:00` and `+02:00`; cameras without a clock write blanks or zeros. */
export function exifTime(value: string | null, offset: string | null): string | null {
  const match = /^(\d{4})[:-](\d{2})[:-](\d{2})[ T](\d{2}):(\d{2}):(\d{2})/.exec(value ?? '')
  if (match === null) return null
  const [, year, month, day, hour, minute, second] = match
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  if (year === '0000' || Number.isNaN(Date.parse(`${local}Z`))) return null
  const zone = /^([+-])(\d{2}):?(\d{2})$/.exec(offset ?? '')
  if (zone === null) return local
  const minutes = Number(zone[2]) * 60 + Number(zone[3])
  return toUtc(local, zone[1] === '-' ? -minutes : minutes)
}
