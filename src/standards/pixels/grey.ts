import type { FrameFormat } from './frame-format.ts'
import type { GreyTransform, Modality, Voi, Window } from './grey-transform.ts'
import { lookUp } from './lookup.ts'
import type { StoredValues } from './stored-values.ts'

/** Grey from 0 to 1 of a value after the modality's transformation. */
type Shade = (value: number) => number

/** Above this many possible values each pixel is computed by itself. */
const TABLE_MAX = 65_536

/**
 * Turns stored values into 8-bit grey, 0 black: modality, values of interest, polarity. PS3.3 sections C.11.1, C.11.2,
 * PS3.4 section N.2.
 */
export function greyOf(values: StoredValues, format: FrameFormat, transform: GreyTransform): Uint8Array {
  const meaning = meaningOf(transform.modality)
  const shade = shadeOf(transform.voi, () => rangeOf(values, meaning, transform.padding))
  const level = (value: number) => {
    const grey = Math.round(shade(meaning(value)) * 255)
    return transform.inverse ? 255 - grey : grey
  }
  const out = new Uint8Array(values.length)
  const [low, size] = possible(format)
  if (size > TABLE_MAX || size > 4 * values.length) {
    for (let i = 0; i < values.length; i++) out[i] = level(values[i] ?? 0)
    return out
  }
  const table = new Uint8Array(size)
  for (let i = 0; i < size; i++) table[i] = level(i + low)
  for (let i = 0; i < values.length; i++) out[i] = table[(values[i] ?? 0) - low] ?? 0
  return out
}

/** Least stored value and how many there are. */
function possible({ bitsStored, signed, float }: FrameFormat): [number, number] {
  if (float) return [0, Number.POSITIVE_INFINITY]
  return [signed ? -(2 ** (bitsStored - 1)) : 0, 2 ** bitsStored]
}

function meaningOf(modality: Modality): (value: number) => number {
  if (modality.is === 'table') return (value) => lookUp(modality.table, value)
  const { slope, intercept } = modality
  return (value) => value * slope + intercept
}

function shadeOf(voi: Voi, range: () => readonly [number, number]): Shade {
  if (voi.is === 'window') return windowShade(voi.window)
  if (voi.is === 'table') {
    const white = 2 ** voi.table.bits - 1
    return (value) => lookUp(voi.table, value) / white
  }
  const [low, high] = range()
  return high > low ? (value) => clamp((value - low) / (high - low)) : (value) => (value > 0 ? 1 : 0)
}

/** PS3.3 sections C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2. */
export function windowShade({ center, width, function: shape }: Window): Shade {
  if (shape === 'sigmoid') return (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width))
  if (shape === 'linear-exact') return (value) => clamp((value - center) / width + 0.5)
  if (width <= 1) return (value) => (value > center - 0.5 ? 1 : 0)
  return (value) => clamp((value - (center - 0.5)) / (width - 1) + 0.5)
}

function clamp(value: number): number {
  return value > 0 ? (value < 1 ? value : 1) : 0
}

function rangeOf(
  values: StoredValues,
  meaning: (value: number) => number,
  padding: GreyTransform['padding'],
): readonly [number, number] {
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0
    if (padding !== null && value >= padding.from && value <= padding.to) continue
    if (value < least) least = value
    if (value > greatest) greatest = value
  }
  if (!(greatest >= least)) return [0, 0]
  const ends = [meaning(least), meaning(greatest)] as const
  return ends[0] <= ends[1] ? ends : [ends[1], ends[0]]
}
