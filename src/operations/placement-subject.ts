/** Whether an annotated ECG is about the patient it was filed under, before it gets a face in that patient's name. */
import { compareNames } from '#reconciliation/names.ts'
import type { ByteSource } from '#standards/byte-source.ts'
import type { FacePatient } from '#standards/dicom/wrap/identity.ts'
import { readAecg } from '#standards/waveform/aecg.ts'

/** Annotated ECGs above are not read to be compared, in bytes: a person looks. */
const AECG_BYTES_MAX = 64 * 1024 * 1024

/**
 * What an annotated ECG says against being of a patient.
 * @returns one sentence for a person, without names; null when nothing speaks against it
 */
export function aecgObjection(aecg: ByteSource, patient: FacePatient): string | null {
  if (aecg.size > AECG_BYTES_MAX) return 'The annotated ECG is too long to see whose it is: a person has to say so.'
  let subject: ReturnType<typeof readAecg>['subject']
  try {
    subject = readAecg(aecg.read(0, aecg.size)).subject
  } catch (error) {
    return `The annotated ECG cannot be read (${error instanceof Error ? error.message : String(error)}): no face is made of it.`
  }
  const against: string[] = []
  const born = subject.birthTime?.replace(/\D/g, '').slice(0, 8) ?? ''
  const known = patient.birthDate?.replace(/\D/g, '') ?? ''
  const digits = Math.min(born.length, known.length)
  if (digits >= 4 && born.slice(0, digits) !== known.slice(0, digits)) against.push('date of birth')
  const sex = subject.sex?.toUpperCase() ?? ''
  if (/^[MF]$/.test(sex) && /^[MF]$/.test(patient.sex ?? '') && sex !== patient.sex) against.push('sex')
  const isNamed = subject.ids.some((id) => id.trim() === patient.id)
  // Initials and numbers of a trial are no name to compare.
  if (!isNamed && subject.name !== undefined && /[\s^,]/.test(subject.name)) {
    const words = subject.name.split(/[\s^,]+/)
    const [first = '', ...rest] = words
    const ways = [`${first}^${rest.join(' ')}`, `${words.at(-1) ?? ''}^${words.slice(0, -1).join(' ')}`]
    if (ways.every((way) => compareNames(way, patient.name) === 'different')) against.push('name')
  }
  if (against.length === 0) return null
  return `The subject of the annotated ECG is another than its patient (${against.join(', ')}): a person has to say whose it is.`
}
