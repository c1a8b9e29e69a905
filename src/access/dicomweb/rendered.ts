import { ArchiveError } from '#errors.ts'
import type { ArchiveReader } from '#model/archive-index.ts'
import type { Asked, Route } from '#model/route.ts'
import { type PathOf, scopeOf, shown } from './scope.ts'

const STUDY = '/dicom-web/studies/:study'
const SERIES = `${STUDY}/series/:series`
const INSTANCE = `${SERIES}/instances/:instance`

/** Resources that need pixels decoded: answered truthfully until they can be. PS3.18 section 10.4, Rendered Resources. */
export function renderedRoutes(reader: ArchiveReader): Route<PathOf>[] {
  return [STUDY, SERIES, INSTANCE, `${INSTANCE}/frames/:frames`].flatMap((level) =>
    (['rendered', 'thumbnail'] as const).map((which) => ({
      method: 'GET',
      url: `${level}/${which}`,
      standard: `PS3.18 section 10.4, Retrieve Transaction, ${which === 'rendered' ? 'Rendered' : 'Thumbnail'} Resources`,
      needs: 'object.read',
      async handle(asked: Asked<PathOf>) {
        const scope = scopeOf(asked.params)
        for await (const _ of reader.instances(scope, asked.visibility)) {
          throw new ArchiveError('request.not-acceptable', 'this archive does not render images yet', {
            hint: 'Retrieve frames or instances and render them in the viewer.',
          })
        }
        throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
      },
    })),
  )
}
