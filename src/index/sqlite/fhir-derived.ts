import { createHash } from 'node:crypto'
import { cursorKeys, cursorText } from '#model/cursor.ts'
import {
  type FhirDerivedReader,
  type FhirDeviceRow,
  type FhirMeasurementRow,
  MEASURED_FAMILIES,
  type MeasuredFamily,
} from '#model/fhir-derived.ts'
import type { Visibility } from '#model/visibility.ts'
import type { Fact } from '#standards/dicom/sop-classes/family.ts'
import type { Database } from './database.ts'
import { personKeys } from './document-rows.ts'
import { pickFromChunk } from './metadata-pick.ts'
import { unpackTime } from './texts.ts'
import { SLOTS } from './tree.ts'
import { all, seesEverything, visible } from './visible.ts'

const PREFIX = '1.2.840.10008.5.1.4.1.1.'
/** Classes that dose reports and ECGs come in; the family that read an object has the last word. */
const CLASSES: { readonly [family in MeasuredFamily]: readonly string[] } = {
  'xray-dose': ['88.22', '88.33', '88.34', '88.67'].map((end) => PREFIX + end),
  ecg: ['9.1.1', '9.1.2', '9.1.3', '9.1.4'].map((end) => PREFIX + end),
}

interface MeasurementRow {
  readonly id: string
  readonly uid: string
  readonly study: string
  readonly family: MeasuredFamily
  readonly owner: string
  readonly device: string | null
  readonly instant: string | null
  readonly time: number | string
  readonly list: string
  readonly sop_class: number
  readonly key: number
}

const FROM_CLASS = `instance i indexed by instance_class cross join series r on r.key = i.key / ${SLOTS}
  cross join study s on s.key = r.study`
const FROM_STUDY = `study s cross join series r on r.study = s.key cross join instance i indexed by instance_class
  on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}`

/** Equipment that says nothing of itself is none. */
const NOBODY = '[null,null,null]'

/** Devices listed at most, of all there are: a site has some hundred. */
const DEVICES_MAX = 10_000

const SERIAL = '00181000'
const SOFTWARE = '00181020'
const UDI_SEQUENCE = '0018100A'
const UDI = '00181009'

/** The same equipment always has the same id. */
function deviceIdOf(device: string | null): string | null {
  if (device === null || device === NOBODY) return null
  return `d${createHash('sha256').update(device).digest('hex').slice(0, 31)}`
}

function factsOf(list: string): Fact[] {
  const rows = JSON.parse(list) as [family: string, name: string, value: string | number, detail: string | null][]
  return rows.map(([family, name, value, detail]) => ({
    ...{ family, name, value },
    ...(detail === null ? {} : (JSON.parse(detail) as Partial<Fact>)),
  }))
}

/** On a read-only connection or on the writer's. */
export function createFhirDerivedReader(db: Database): FhirDerivedReader {
  function classKeys(families: readonly MeasuredFamily[]): string {
    const uids = JSON.stringify(families.flatMap((family) => CLASSES[family]))
    const rows = db.all<{ key: number }>(
      'select key from text where value in (select value from json_each(?)) order by key',
      uids,
    )
    return JSON.stringify(rows.map(({ key }) => key))
  }

  /** Every device of the archive, one seek in the index each. */
  function everyDevice(): string[] {
    const found: string[] = []
    for (let last = ''; found.length < DEVICES_MAX; ) {
      const next = db.get<{ device: string | null }>(
        'select min(device) as device from series where device is not null and device > ?',
        last,
      )?.device
      if (next === null || next === undefined) break
      found.push(next)
      last = next
    }
    return found
  }

  function devicesOf(visibility: Visibility): string[] {
    if (seesEverything(visibility)) return everyDevice()
    const where = all([visible(visibility, 's.owner'), { sql: 'r.device is not null', params: [] }])
    return db
      .all<{ device: string }>(
        `select distinct r.device from study s cross join series r on r.study = s.key where ${where.sql}
         order by r.device limit ${DEVICES_MAX}`,
        ...where.params,
      )
      .map(({ device }) => device)
  }

  /** What only an instance says, of the newest series the caller may see. */
  function detailsOf(device: string, visibility: Visibility) {
    const where = all([visible(visibility, 's.owner'), { sql: 'r.device = ?', params: [device] }])
    return db.get<{ chunk: Uint8Array; raw_length: number; time: number | string }>(
      `select i.chunk, i.raw_length, o.time from series r indexed by series_device cross join study s on s.key = r.study
       cross join instance i on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}
       cross join object o on o.key = i.object
       where ${where.sql} order by r.key desc, i.key desc limit 1`,
      ...where.params,
    )
  }

  function deviceRow(id: string, device: string, visibility: Visibility): FhirDeviceRow {
    const [manufacturer = null, model = null, stationName = null] = JSON.parse(device) as (string | null)[]
    const newest = detailsOf(device, visibility)
    const picked = new Map(
      newest === undefined
        ? []
        : pickFromChunk(newest.chunk, newest.raw_length, [SERIAL, SOFTWARE, UDI_SEQUENCE], []).map(([tag, json]) => [
            tag,
            (JSON.parse(json) as { Value?: readonly unknown[] }).Value ?? [],
          ]),
    )
    const texts = (tag: string) => (picked.get(tag) ?? []).filter((value) => typeof value === 'string' && value !== '')
    const udis = (picked.get(UDI_SEQUENCE) ?? []).flatMap((item) => {
      const value = (item as { [tag: string]: { Value?: readonly unknown[] } })[UDI]?.Value?.[0]
      return typeof value === 'string' ? [value] : []
    })
    return {
      ...{ id, manufacturer, model, stationName, udis },
      serialNumber: (texts(SERIAL)[0] as string | undefined) ?? null,
      softwareVersions: texts(SOFTWARE) as string[],
      lastUpdated: newest === undefined ? null : unpackTime(newest.time),
    }
  }

  return {
    measurements(filter, visibility) {
      const families = filter.families ?? MEASURED_FAMILIES
      const owners = filter.patientIds === undefined ? undefined : personKeys(db, filter.patientIds)
      const narrow = owners !== undefined || filter.studyInstanceUIDs !== undefined || visibility.sees === 'patients'
      const among = (sql: string, values: readonly (string | number)[] | undefined) =>
        values === undefined
          ? undefined
          : { sql: `${sql} in (select value from json_each(?))`, params: [JSON.stringify(values)] }
      const where = all([
        visible(visibility, 's.owner'),
        { sql: 'i.sop_class in (select value from json_each(?))', params: [classKeys(families)] },
        { sql: 'o.family in (select value from json_each(?)) and o.state = 0', params: [JSON.stringify(families)] },
        among('s.owner', owners),
        among('s.uid', filter.studyInstanceUIDs),
        among('o.id', filter.objectIds),
        filter.cursor === undefined
          ? undefined
          : {
              sql: '(i.sop_class, i.key) > (?, ?)',
              params: cursorKeys('fhir measurements', filter.cursor, [0, 0] as const),
            },
      ])
      const object = 'cross join object o on o.key = i.object cross join fact_list f on f.object = o.key'
      const from =
        filter.objectIds === undefined
          ? `${narrow ? FROM_STUDY : FROM_CLASS} ${object}`
          : `object o cross join fact_list f on f.object = o.key cross join instance i on i.key = o.instance
             cross join series r on r.key = i.key / ${SLOTS} cross join study s on s.key = r.study`
      const rows = db.all<MeasurementRow>(
        `select o.id, i.uid, s.uid as study, o.family, p.id as owner, r.device, s.instant, o.time, f.list, i.sop_class, i.key
         from ${from} cross join patient p on p.key = s.owner
         where ${where.sql} order by i.sop_class, i.key limit ?`,
        ...where.params,
        filter.limit + 1,
      )
      const items = rows.slice(0, filter.limit).map(
        (row): FhirMeasurementRow => ({
          objectId: row.id,
          sopInstanceUID: row.uid,
          studyInstanceUID: row.study,
          family: row.family,
          patientId: row.owner,
          deviceId: deviceIdOf(row.device),
          instant: row.instant,
          lastUpdated: unpackTime(row.time),
          facts: factsOf(row.list),
          cursor: cursorText('fhir measurements', [row.sop_class, row.key]),
        }),
      )
      return { items, next: rows.length > filter.limit ? (items.at(-1)?.cursor ?? null) : null }
    },

    devices(filter, visibility) {
      if (visibility.sees === 'nothing') return { items: [], next: null }
      const known = devicesOf(visibility).flatMap((device) => {
        const id = deviceIdOf(device)
        return id === null || filter.ids?.includes(id) === false ? [] : [{ id, device }]
      })
      const [after] = filter.cursor === undefined ? [''] : cursorKeys('fhir devices', filter.cursor, [''] as const)
      const rest = known.filter(({ device }) => device > after)
      const page = rest.slice(0, filter.limit)
      const last = page.at(-1)
      return {
        items: page.map(({ id, device }) => deviceRow(id, device, visibility)),
        next: rest.length > page.length && last !== undefined ? cursorText('fhir devices', [last.device]) : null,
      }
    },
  }
}
