import { DicomError } from './errors.ts'

const INTEGERS: Readonly<Record<string, readonly [min: bigint, max: bigint, bytes: number]>> = {
  SL: [-(2n ** 31n), 2n ** 31n - 1n, 4],
  SS: [-(2n ** 15n), 2n ** 15n - 1n, 2],
  SV: [-(2n ** 63n), 2n ** 63n - 1n, 8],
  UL: [0n, 2n ** 32n - 1n, 4],
  US: [0n, 2n ** 16n - 1n, 2],
  UV: [0n, 2n ** 64n - 1n, 8],
}

/**
 * Encodes numbers (or, for AT, tags) that are given as text.
 * @returns little endian bytes
 * @throws DicomError when a text is no number, or one that the VR does not hold
 */
export function encodeNumbers(tag: number, vr: string, values: readonly string[]): Uint8Array {
  if (vr === 'AT') return tagBytes(tag, values)
  const integer = INTEGERS[vr]
  const size = integer?.[2] ?? (vr === 'FL' ? 4 : 8)
  const bytes = new Uint8Array(values.length * size)
  const view = new DataView(bytes.buffer)
  values.forEach((text, index) => {
    if (integer === undefined) {
      const number = /^(?:NaN|[+-]?Infinity)$/.test(text) ? Number(text) : decimal(tag, text)
      if (vr === 'FL') view.setFloat32(index * 4, number, true)
      else view.setFloat64(index * 8, number, true)
      return
    }
    const whole = wholeNumber(tag, text)
    if (whole < integer[0] || whole > integer[1]) throw wrong(tag, `${text} does not fit ${vr}`)
    if (size === 2) view.setUint16(index * 2, Number(BigInt.asUintN(16, whole)), true)
    else if (size === 4) view.setUint32(index * 4, Number(BigInt.asUintN(32, whole)), true)
    else view.setBigUint64(index * 8, BigInt.asUintN(64, whole), true)
  })
  return bytes
}

function decimal(tag: number, text: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(number)) throw wrong(tag, `${JSON.stringify(text.slice(0, 64))} is no number`)
  return number
}

function wholeNumber(tag: number, text: string): bigint {
  if (/^[+-]?\d{1,20}$/.test(text)) return BigInt(text)
  const number = decimal(tag, text) // 1.0 and 1e3 are whole too
  if (!Number.isSafeInteger(number)) throw wrong(tag, `${JSON.stringify(text.slice(0, 64))} is no whole number`)
  return BigInt(number)
}

function tagBytes(tag: number, values: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4)
  const view = new DataView(bytes.buffer)
  values.forEach((value, index) => {
    if (!/^[\dA-Fa-f]{8}$/.test(value)) throw wrong(tag, 'a value that is no tag')
    view.setUint16(index * 4, Number.parseInt(value.slice(0, 4), 16), true)
    view.setUint16(index * 4 + 2, Number.parseInt(value.slice(4), 16), true)
  })
  return bytes
}

function wrong(tag: number, detail: string): DicomError {
  return new DicomError('dicom.malformed', 'value', detail, 0, tag)
}
