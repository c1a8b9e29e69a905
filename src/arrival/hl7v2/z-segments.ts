import type { MessageRecord } from '#model/message.ts'
import { Hl7Error } from '#standards/hl7v2/errors.ts'
import { DEFAULT_HL7_LIMITS, type Hl7Limits } from '#standards/hl7v2/limits.ts'
import type { Hl7Message, Segment } from '#standards/hl7v2/message.ts'
import type { MappingTerms } from './terms.ts'

/** What became of a message's Z-segments, and what was seen in them. */
export interface ZSegments {
  readonly done: MessageRecord['zSegments']
  readonly notes: readonly string[]
}

/**
 * Treats Z-segments as private attributes are treated: by the policy of their sender. Only ZDS can be honoured; what else
 * is called so has no meaning here and stays inert. services.md E.2, threats.md R20.
 *
 * @param honours true when the message is one that uses ZDS
 * @throws Hl7Error AR 100 for a segment that is refused or over the limits
 */
export function judgeZSegments(
  message: Hl7Message,
  policy: MappingTerms['zSegments'],
  honours: boolean,
  limits: Hl7Limits = DEFAULT_HL7_LIMITS,
): ZSegments {
  const segments = message.segments.filter(({ name }) => name.startsWith('Z'))
  const [over] = segments.slice(limits.zSegments)
  if (over !== undefined) throw refused(over, `a message may have ${limits.zSegments} Z-segments`)
  const notes: string[] = []
  const done = segments.map(({ name, index, sequence, source }, i): MessageRecord['zSegments'][number] => {
    const segment = segments[i] as Segment
    if (source.length > limits.zSegmentLength) {
      throw refused(segment, `a Z-segment may have ${limits.zSegmentLength} characters`)
    }
    const said = policy[name] ?? policy['*'] ?? (name === 'ZDS' ? 'honour' : 'inert')
    if (said === 'refuse') throw refused(segment, `${name} is refused by the policy of its sender`)
    const content = contentOf(source, message.delimiters.escapeCharacter)
    if (content !== null) notes.push(`${name} ${sequence} holds ${content}`)
    return { name, index, done: said === 'honour' && name === 'ZDS' && honours ? 'honoured' : 'inert' }
  })
  return { done, notes }
}

function refused({ name, sequence }: Segment, detail: string): Hl7Error {
  return new Hl7Error('AR', 100, detail, { segment: name, sequence })
}

/** Markup and binary have no place in a Z-segment; whoever looks at the message is told. */
function contentOf(source: string, escapeCharacter: string | null): string | null {
  if (/<[a-z!?/]/i.test(source)) return 'markup'
  for (let i = 0; i < source.length; i++) if (source.charCodeAt(i) < 0x20 && source[i] !== '\t') return 'binary'
  const mark = escapeCharacter
  return mark !== null && (source.includes(`${mark}X0`) || source.includes(`${mark}X1`)) ? 'binary' : null
}
