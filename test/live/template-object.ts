/** Realistic objects at full speed: one fixture of each kind is built, then copies get identifiers of their own. */
import { Buffer } from 'node:buffer'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctDose, ctSeries } from '../fixtures/objects.ts'

export type Kind = 'report' | 'ct' | 'small-ct'

export interface Identifiers {
  readonly study: number
  readonly series: number
  readonly instance: number
  readonly patient: number
}

/** Forty characters each, so that a copy is as long as its template. The first digits keep runs apart. */
function uid(what: number, run: number, serial: number): string {
  return `2.25.${what}${String(run).padStart(17, '1')}${String(serial).padStart(17, '0')}`
}

const PLACE = { study: uid(1, 0, 0), series: uid(2, 0, 0), instance: uid(3, 0, 0), patient: 'PT000000' }

interface Template {
  readonly bytes: Buffer
  readonly places: readonly { readonly at: number; readonly of: keyof typeof PLACE }[]
}

const templates = new Map<Kind, Template>()

function template(kind: Kind): Template {
  const known = templates.get(kind)
  if (known !== undefined) return known
  const elements = kind === 'report' ? ctDose() : ctSeries(1, kind === 'ct' ? 496 : 64)[0]
  if (elements === undefined) throw new TypeError('no CT slice')
  const bytes = part10({
    elements: {
      ...elements,
      StudyInstanceUID: PLACE.study,
      SeriesInstanceUID: PLACE.series,
      SOPInstanceUID: PLACE.instance,
      PatientID: PLACE.patient,
    },
  })
  const places: { at: number; of: keyof typeof PLACE }[] = []
  for (const id of ['study', 'series', 'instance', 'patient'] as const) {
    for (let at = bytes.indexOf(PLACE[id]); at >= 0; at = bytes.indexOf(PLACE[id], at + 1)) places.push({ at, of: id })
  }
  const made = { bytes, places }
  templates.set(kind, made)
  return made
}

/** A valid instance: a dose report of about 10 KB, a CT slice of 490 KB, or one of 10 KB. */
export function realisticObject(kind: Kind, run: number, { study, series, instance, patient }: Identifiers): Buffer {
  const { bytes, places } = template(kind)
  const copy = Buffer.from(bytes)
  const text = {
    study: uid(1, run, study),
    series: uid(2, run, series),
    instance: uid(3, run, instance),
    patient: `PT${String(patient % 1_000_000).padStart(6, '0')}`,
  }
  for (const { at, of } of places) copy.write(text[of], at, 'latin1')
  return copy
}
