import type { RenderedMetadata, UnrenderedInstance } from '#model/archive-index.ts'
import type { StoredOverlayEvent } from '#model/archive-object.ts'
import { eventsFor, overlayVersion, type StudyEvent } from '../effective-overlay.ts'
import type { Database } from './database.ts'
import { SLOTS } from './tree.ts'

/** What is served of one instance otherwise than stored. */
export interface InstanceOverlay {
  readonly events: readonly StoredOverlayEvent[]
  /** The same events, the same version; 0 for none. */
  readonly version: number
}

const NONE: InstanceOverlay = { events: [], version: 0 }
const CACHED_MAX = 256

/** Reads the overlay column of studies; most instances of a study share theirs, so it is parsed once. */
export interface OverlayReader {
  read(overlay: string | null, series: string, instance: string): InstanceOverlay
}

export function createOverlayReader(): OverlayReader {
  const parsed = new Map<string, { readonly events: readonly StudyEvent[]; readonly whole: InstanceOverlay | null }>()

  function parse(text: string) {
    const known = parsed.get(text)
    if (known !== undefined) return known
    const events = JSON.parse(text) as StudyEvent[]
    const confined = events.some(({ series, instance }) => series !== undefined || instance !== undefined)
    const made = { events, whole: confined ? null : versioned(eventsFor(events, '', '')) }
    if (parsed.size >= CACHED_MAX) parsed.clear()
    parsed.set(text, made)
    return made
  }

  return {
    read(overlay, series, instance) {
      if (overlay === null) return NONE
      const { events, whole } = parse(overlay)
      return whole ?? versioned(eventsFor(events, series, instance))
    },
  }
}

function versioned(events: readonly StoredOverlayEvent[]): InstanceOverlay {
  return events.length === 0 ? NONE : { events, version: overlayVersion(events) }
}

interface Row {
  readonly key: number
  readonly id: string
  readonly uid: string
  readonly series: string
  readonly overlay: string
  readonly rendered: number | null
}

/** Rendered metadata, on the write connection. Versions are those of StoredInstance. */
export function createRenderedMetadata(db: Database): RenderedMetadata {
  const overlays = createOverlayReader()

  return {
    unrendered(studyInstanceUID, limit) {
      const found: UnrenderedInstance[] = []
      const rows = db.all<Row>(
        `select i.key, o.id, i.uid, r.uid as series, s.overlay, m.version as rendered
         from study s indexed by study_uid cross join series r indexed by series_study on r.study = s.key
         cross join instance i on i.key >= r.key * ${SLOTS} and i.key < (r.key + 1) * ${SLOTS}
         cross join object o on o.key = i.object left join rendered m on m.instance = i.key
         where s.uid = ? and s.overlay is not null`,
        studyInstanceUID,
      )
      for (const row of rows) {
        const { events, version } = overlays.read(row.overlay, row.series, row.uid)
        if (version === 0 || row.rendered === version) continue
        const chunk = db.get<{ crc32: number; raw_length: number; chunk: Uint8Array }>(
          'select crc32, raw_length, chunk from instance where key = ?',
          row.key,
        )
        if (chunk === undefined) continue
        found.push({
          objectId: row.id,
          studyInstanceUID,
          seriesInstanceUID: row.series,
          sopInstanceUID: row.uid,
          overlayVersion: version,
          overlay: events,
          chunk: { crc32: chunk.crc32, rawLength: chunk.raw_length, deflated: chunk.chunk },
        })
        if (found.length >= limit) break
      }
      return found
    },

    putRendered(list) {
      for (const { objectId, overlayVersion: version, chunk } of list) {
        const row = db.get<{ key: number; uid: string; series: string; overlay: string | null }>(
          `select i.key, i.uid, r.uid as series, s.overlay from object o cross join instance i on i.key = o.instance
           cross join series r on r.key = i.key / ${SLOTS} cross join study s on s.key = r.study
           where o.id = ? and o.state = 0`,
          objectId,
        )
        if (row === undefined || overlays.read(row.overlay, row.series, row.uid).version !== version) continue
        db.run(
          'insert or replace into rendered (instance, version, crc32, raw_length, chunk) values (?, ?, ?, ?, ?)',
          ...[row.key, version, chunk.crc32, chunk.rawLength, chunk.deflated],
        )
      }
    },
  }
}

/** Drops what was rendered of a series: its overlay is another one. */
export function dropRendered(db: Database, series: number): void {
  db.run('delete from rendered where instance >= ? and instance < ?', series * SLOTS, (series + 1) * SLOTS)
}
