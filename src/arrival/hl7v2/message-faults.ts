/** What is wrong with a message, as its sender is told. */
import { ArchiveError, failures } from '#errors.ts'
import type { Refusal } from '#model/identity-ledger.ts'
import type { MessageEnvelope } from '#model/message.ts'
import { type Condition, Hl7Error } from '#standards/hl7v2/errors.ts'
import type { Hl7Message } from '#standards/hl7v2/message.ts'

/** A fault as its message's record tells it. */
export function told({ condition, message, location }: Hl7Error): string {
  const at = location === null ? '' : ` at ${location.segment}^${location.sequence}^${location.field ?? ''}`
  return `${condition}${at}: ${message}`
}

/** A fault of ours, which another try may not meet: nothing is kept of it. */
export class OurFault extends Hl7Error {}

export function failureOf(error: unknown): Hl7Error {
  if (error instanceof ArchiveError) {
    return new OurFault(failures[error.code].ack, 207, `${error.code}: the message was not kept, send it again`)
  }
  return new OurFault('AE', 207, 'archive.failed: the message was not kept, send it again')
}

export function brokenFault(why: NonNullable<MessageEnvelope['broken']>, bytesMax: number): Hl7Error {
  switch (why) {
    case 'oversized':
      return new Hl7Error('AR', 207, `a message may have ${bytesMax} bytes`)
    case 'crowded':
      return new OurFault('AE', 207, 'no room for a message of this size now: send it again')
    case 'restarted':
      return new Hl7Error('AR', 100, 'a new message began before the end block of this one')
    case 'ended':
      return new Hl7Error('AR', 100, 'the end block of this message did not come')
  }
}

/** What the ledger refuses, as a sender is told: numbers of other patients stay here. */
const REFUSALS: { readonly [code: string]: readonly [condition: Condition, sentence: string] } = {
  'identity.cycle': [205, 'the surviving patient already lives on as the prior one'],
  'identity.merged': [205, 'the prior patient is merged into another one already'],
  'identity.conflict': [205, 'this contradicts what is known'],
  'identity.unknown': [204, 'what this is about is not known'],
  'identity.undone': [204, 'what this is about was taken back already'],
}

/** What the ledger has against it, at the field that names the patient. */
export function refusalFault({ code }: Refusal, message: Hl7Message): Hl7Error {
  const [condition, sentence] = REFUSALS[code] ?? [207, 'the ledger refuses it']
  const segment = message.first('MRG') === undefined ? 'PID' : 'MRG'
  const at = { segment, sequence: 1, field: segment === 'MRG' ? 1 : 3, repetition: 1 }
  return new Hl7Error(failures[code].ack, condition, `${code}: ${sentence}`, at)
}
