import type { TransferSyntax } from './transfer-syntax.ts'

/** How elements are written. PS3.5 section 7.1 and 7.3. */
export interface Encoding {
  readonly explicit: boolean
  readonly bigEndian: boolean
}

export const IMPLICIT_LE: Encoding = { explicit: false, bigEndian: false }
export const EXPLICIT_LE: Encoding = { explicit: true, bigEndian: false }
export const EXPLICIT_BE: Encoding = { explicit: true, bigEndian: true }

/** The encoding of a transfer syntax, as one of the three shared values. */
export function encodingOf(syntax: TransferSyntax): Encoding {
  if (!syntax.explicit) return IMPLICIT_LE
  return syntax.bigEndian ? EXPLICIT_BE : EXPLICIT_LE
}
