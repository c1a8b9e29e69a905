import type { Device } from '@medplum/fhirtypes'
import type { FhirDeviceRow } from '#model/fhir-derived.ts'
import { derived } from './compact.ts'
import type { ResourceKind } from './kind.ts'

function deviceOf(row: FhirDeviceRow): Device {
  return derived<Device>(
    {
      resourceType: 'Device',
      id: row.id,
      udiCarrier: row.udis.map((carrierHRF) => ({ carrierHRF })),
      status: 'active',
      manufacturer: row.manufacturer,
      serialNumber: row.serialNumber,
      deviceName: [
        ...(row.model === null ? [] : [{ name: row.model, type: 'model-name' as const }]),
        ...(row.stationName === null ? [] : [{ name: row.stationName, type: 'user-friendly-name' as const }]),
      ],
      modelNumber: row.model,
      version: row.softwareVersions.map((value) => ({ value })),
    },
    row.lastUpdated,
  )
}

export const deviceKind: ResourceKind = {
  type: 'Device',
  made: 'derived',
  owner: 'the equipment that series name: maker, model, station (`index/sqlite/fhir-derived.ts`)',
  writable: 'nothing: 405',
  versions: 'digest of the content; `lastUpdated` of its newest series; no history',
  needs: { read: 'object.read' },
  parameters: ['manufacturer', 'model', 'device-name', 'status', 'udi-carrier'],
  includes: [],
  revIncludes: ['Observation:device'],
  sorts: [],
  history: false,
  source({ derived: objects }) {
    return {
      async read(id, { visibility }) {
        const [row] = objects.devices({ ids: [id], limit: 1 }, visibility).items
        return row === undefined ? undefined : deviceOf(row)
      },
      async search(criteria, { limit, cursor }, { visibility }) {
        const ids = criteria.values('_id')
        const page = objects.devices(
          { limit, ...(cursor === undefined ? {} : { cursor }), ...(ids === undefined ? {} : { ids }) },
          visibility,
        )
        return { resources: page.items.map(deviceOf), next: page.next }
      },
    }
  },
}
