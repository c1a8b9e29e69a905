/** Where a fault is, as ERR-2 tells it: segment, its sequence among its name, field, repetition, component. Base one. */
export interface Hl7Location {
  readonly segment: string
  readonly sequence: number
  readonly field?: number
  readonly repetition?: number
  readonly component?: number
  readonly subcomponent?: number
}

/** Table 0357, Message Error Condition Codes, as far as a receiver raises them. HL7 v2.8 section 2.C. */
export const CONDITIONS = {
  0: 'Message accepted',
  100: 'Segment sequence error',
  101: 'Required field missing',
  102: 'Data type error',
  103: 'Table value not found',
  200: 'Unsupported message type',
  201: 'Unsupported event code',
  202: 'Unsupported processing id',
  203: 'Unsupported version id',
  204: 'Unknown key identifier',
  205: 'Duplicate key identifier',
  206: 'Application record locked',
  207: 'Application internal error',
} as const

export type Condition = keyof typeof CONDITIONS

/**
 * A message that cannot be taken, and how its sender is told. `AE`: the content is at fault, correct it and send again;
 * `AR`: structure, kind or sender are at fault, or the archive could not: the message as it is will not go through now.
 */
export class Hl7Error extends Error {
  override readonly name = 'Hl7Error'
  readonly condition: Condition
  readonly answer: 'AE' | 'AR'
  readonly location: Hl7Location | null

  /** @param detail goes to the sender and the message archive: names fields, never values from them */
  constructor(answer: 'AE' | 'AR', condition: Condition, detail: string, location: Hl7Location | null = null) {
    super(detail)
    this.answer = answer
    this.condition = condition
    this.location = location
  }
}

/** `PID^1^3^1^4` as ERR-2 (and ERR-1 of older versions) writes it; trailing parts that are not known are left out. */
export function locationText(at: Hl7Location, component: string): string {
  const parts = [at.segment, at.sequence, at.field, at.repetition, at.component, at.subcomponent]
  let last = parts.length
  while (last > 1 && parts[last - 1] === undefined) last--
  return parts
    .slice(0, last)
    .map((part) => part ?? '')
    .join(component)
}
