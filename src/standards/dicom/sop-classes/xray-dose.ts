import type { DataSet } from '../data-set.ts'
import { SOP_CLASS } from '../uids.ts'
import { type ContentItem, child, codeOf, contentTree, descendants } from './content.ts'
import type { Fact, FamilyFinding, ObjectFamily, Summary } from './family.ts'

const ID = 'xray-dose'

const TAG = { conceptName: 0x0040a043 } as const

/** (113701, DCM, "X-Ray Radiation Dose Report"), the root of TID 10001 and TID 10011. */
const ROOT = '113701'

/** Classes that hold a dose report when their root says so: some scanners use a general report class. */
const GENERAL_REPORTS: ReadonlySet<string> = new Set([
  '1.2.840.10008.5.1.4.1.1.88.22',
  '1.2.840.10008.5.1.4.1.1.88.33',
  '1.2.840.10008.5.1.4.1.1.88.34',
])

/** Facts about the whole examination. Concepts of DCM with our name for them. PS3.16 TID 10002, 10007, 10012. */
const TOTALS: readonly (readonly [concept: string, name: string])[] = [
  ['113812', 'irradiation-events'],
  ['113813', 'dlp-total'],
  ['113722', 'dap-total'],
  ['113725', 'dose-rp-total'],
  ['113726', 'fluoro-dap-total'],
  ['113728', 'fluoro-dose-rp-total'],
  ['113727', 'acquisition-dap-total'],
  ['113729', 'acquisition-dose-rp-total'],
  ['113730', 'fluoro-time-total'],
  ['113855', 'acquisition-time-total'],
  ['113731', 'radiographic-frames-total'],
  ['111637', 'glandular-dose-total'],
]

/** Facts about one irradiation. PS3.16 TID 10003, 10013 and what they include. */
const EVENT_NUMBERS: readonly (readonly [concept: string, name: string])[] = [
  ['113830', 'ctdivol'],
  ['113838', 'dlp'],
  ['122130', 'dap'],
  ['113738', 'dose-rp'],
  ['111631', 'glandular-dose'],
  ['113825', 'scanning-length'],
  ['113828', 'pitch'],
  ['113733', 'kvp'],
  ['113734', 'tube-current'],
]
const EVENT_CODES: readonly (readonly [concept: string, name: string])[] = [
  ['123014', 'target-region'],
  ['113820', 'acquisition-type'],
  ['113721', 'event-type'],
  ['113835', 'ctdi-phantom'],
]

/** Accumulated containers: projection, CT, and the special ones for mammography and fluoroscopy inside the first. */
const ACCUMULATED = ['113702', '113811']
const EVENTS = ['113706', '113819']

interface Report {
  readonly root: ContentItem
  readonly accumulated: readonly ContentItem[]
  readonly events: readonly ContentItem[]
}

function read(dataSet: DataSet): Report {
  const root = contentTree(dataSet)
  return {
    root,
    accumulated: ACCUMULATED.flatMap((concept) => descendants(root, concept)),
    events: EVENTS.flatMap((concept) => descendants(root, concept)),
  }
}

function numberFact(item: ContentItem, name: string): Fact | undefined {
  if (item.number === undefined) return undefined
  return {
    family: ID,
    name,
    ...(item.concept === undefined ? {} : { code: item.concept }),
    value: item.number,
    ...(item.unit === undefined ? {} : { unit: item.unit.value }),
    path: item.path,
  }
}

function textFact(item: ContentItem | undefined, name: string): Fact | undefined {
  const value = item?.code?.meaning || item?.code?.value || item?.text
  if (item === undefined || value === undefined) return undefined
  return { family: ID, name, ...(item.code === undefined ? {} : { code: item.code }), value, path: item.path }
}

function eventFacts(event: ContentItem): (Fact | undefined)[] {
  return [
    textFact(descendants(event, '113769')[0], 'irradiation-event'),
    textFact(descendants(event, '125203')[0], 'protocol'),
    ...EVENT_CODES.map(([concept, name]) => textFact(descendants(event, concept)[0], name)),
    ...EVENT_NUMBERS.flatMap(([concept, name]) => descendants(event, concept).map((item) => numberFact(item, name))),
  ]
}

function facts(dataSet: DataSet): Fact[] {
  const { root, accumulated, events } = read(dataSet)
  const found: (Fact | undefined)[] = [
    textFact(child(root, '121058'), 'procedure'),
    textFact(child(root, '113705'), 'scope'),
    textFact(child(root, '113809'), 'irradiation-start'),
    textFact(child(root, '113810'), 'irradiation-end'),
    textFact(child(root, '113854'), 'source-of-dose'),
    ...accumulated.flatMap((container) =>
      TOTALS.flatMap(([concept, name]) => descendants(container, concept).map((item) => numberFact(item, name))),
    ),
  ]
  for (const event of events) found.push(...eventFacts(event))
  return found.filter((fact) => fact !== undefined)
}

function finding(rule: string, severity: FamilyFinding['severity'], detail: string): FamilyFinding {
  return { rule: `${ID}:${rule}`, severity, detail, tag: '0040A730' }
}

/** mGy.cm in whatever way the unit was written; undefined for another unit. */
function milligrayCentimetres(item: ContentItem): number | undefined {
  const unit = (item.unit?.value ?? '').replace(/[.\s*]/g, '').toLowerCase()
  return unit === 'mgycm' ? item.number : undefined
}

function validate(dataSet: DataSet): FamilyFinding[] {
  const found: FamilyFinding[] = []
  const { root, accumulated, events } = read(dataSet)
  if (codeOf(dataSet, TAG.conceptName)?.value !== ROOT) {
    const detail = `the root is ${root.concept?.meaning ?? 'not named'}, not an X-Ray Radiation Dose Report`
    found.push({ ...finding('root', 'warning', detail), tag: '0040A043' })
  }
  if (accumulated.length === 0) found.push(finding('accumulated-missing', 'warning', 'no accumulated dose'))
  if (child(root, '113705') === undefined) found.push(finding('scope-missing', 'info', 'no scope of accumulation'))
  const claimed = accumulated.flatMap((container) => descendants(container, '113812'))[0]?.number
  if (claimed !== undefined && claimed !== events.length) {
    found.push(
      finding('event-count', 'warning', `${claimed} irradiation events are claimed, ${events.length} are told`),
    )
  }
  const nameless = events.filter((event) => descendants(event, '113769').length === 0).length
  if (nameless > 0) found.push(finding('event-uid-missing', 'warning', `${nameless} events have no UID`))
  found.push(...validateDlp(accumulated, events))
  for (const item of accumulated.flatMap((container) =>
    TOTALS.flatMap(([concept]) => descendants(container, concept)),
  )) {
    if (item.number === undefined)
      found.push(finding('value-missing', 'info', `${item.concept?.meaning ?? ''} is empty`))
    else if (item.number < 0) found.push(finding('negative', 'warning', `${item.concept?.meaning ?? ''} is negative`))
  }
  return found
}

/** The total has to be the sum of the parts, but for rounding; a report that lost an event shows here. */
function validateDlp(accumulated: readonly ContentItem[], events: readonly ContentItem[]): FamilyFinding[] {
  const totals = accumulated.flatMap((container) => descendants(container, '113813')).map(milligrayCentimetres)
  const parts = events.flatMap((event) => descendants(event, '113838')).map(milligrayCentimetres)
  const total = totals[0]
  if (total === undefined || parts.length === 0 || parts.some((part) => part === undefined)) return []
  const sum = parts.reduce<number>((all, part) => all + (part ?? 0), 0)
  if (Math.abs(sum - total) <= Math.max(0.5 * parts.length, total * 0.02)) return []
  return [finding('dlp-sum', 'warning', `the events have ${sum.toFixed(2)} mGy.cm together, the total says ${total}`)]
}

const SHOWN: readonly (readonly [name: string, label: string])[] = [
  ['dlp-total', 'DLP'],
  ['dap-total', 'Dose area product'],
  ['dose-rp-total', 'Dose at reference point'],
  ['fluoro-time-total', 'Fluoroscopy time'],
  ['glandular-dose-total', 'Average glandular dose'],
]

function summary(dataSet: DataSet): Summary {
  const all = facts(dataSet)
  const lines: string[] = []
  for (const [name, label] of SHOWN) {
    for (const fact of all.filter((one) => one.name === name))
      lines.push(`${label} ${fact.value} ${fact.unit ?? ''}`.trim())
  }
  const events = all.filter(({ name }) => name === 'irradiation-event').length
  lines.push(`${events} irradiation ${events === 1 ? 'event' : 'events'}`)
  const highest = Math.max(...all.filter(({ name }) => name === 'ctdivol').map(({ value }) => Number(value)))
  if (Number.isFinite(highest)) lines.push(`CTDIvol up to ${highest} mGy`)
  const procedure = all.find(({ name }) => name === 'procedure')
  return { title: `Radiation dose${procedure === undefined ? '' : `: ${procedure.value}`}`, lines }
}

/** X-Ray Radiation Dose SR. PS3.3 A.35.8; PS3.16 TID 10001 (projection) and TID 10011 (CT). */
export const xrayDose: ObjectFamily = {
  id: ID,
  version: 1,
  recognise(sopClassUID, dataSet) {
    if (sopClassUID === SOP_CLASS.xRayRadiationDose) return true
    return GENERAL_REPORTS.has(sopClassUID) && codeOf(dataSet, TAG.conceptName)?.value === ROOT
  },
  validate,
  facts,
  summary,
}
