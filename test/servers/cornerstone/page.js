// What a web viewer does first: metadata of a study, then frames by `wadors:` image ids, decoded in a worker.
import { imageLoader, init as initCore } from '@cornerstonejs/core'
import { init as initLoader, wadors } from '@cornerstonejs/dicom-image-loader'

initCore()
initLoader({ maxWebWorkers: 1 })

const first = (instance, tag) => instance[tag]?.Value?.[0]

/** Every frame of a study as stored values, before any rescale. */
globalThis.loadStudy = async (study) => {
  const answer = await fetch(`${study}/metadata`, { headers: { Accept: 'application/dicom+json' } })
  if (!answer.ok) throw new Error(`metadata: ${answer.status}`)
  const frames = []
  for (const instance of await answer.json()) {
    const sopInstanceUid = first(instance, '00080018')
    const object = `${study}/series/${first(instance, '0020000E')}/instances/${sopInstanceUid}`
    for (let frame = 1; frame <= Number(first(instance, '00280008') ?? 1); frame++) {
      const imageId = `wadors:${object}/frames/${frame}`
      wadors.metaDataManager.add(imageId, instance)
      const image = await imageLoader.loadImage(imageId, { preScale: { enabled: false } })
      frames.push({
        name: `${sopInstanceUid} ${frame}`,
        transferSyntax: image.transferSyntaxUID,
        rows: image.rows,
        columns: image.columns,
        pixels: Array.from(image.getPixelData()),
      })
    }
  }
  return frames
}
globalThis.ready = true
