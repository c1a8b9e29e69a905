import type { Migration } from '../migrate.ts'

/**
 * Maker, model and station of a series as one key, so that the equipment of the archive is a list without reading all
 * series; orders by their placer and filler numbers.
 */
export const fhirLists: Migration = {
  number: 17,
  name: 'fhir-lists',
  sqlite: [
    `alter table series add column device text generated always as
      (json_extract(extra, '$."00080070"[0]', '$."00081090"[0]', '$."00081010"[0]')) virtual`,
    'create index series_device on series(device) where device is not null',
    "create index imaging_order_placer on imaging_order(body ->> '$.placerOrderNumber')",
    "create index imaging_order_filler on imaging_order(body ->> '$.fillerOrderNumber')",
  ],
}
