import { ArchiveError } from '#errors.ts'
import type { ArchiveReader, Scope } from '#model/archive-index.ts'
import type { StoredInstance } from '#model/archive-object.ts'
import type { Visibility } from '#model/visibility.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { shown } from '../dicomweb/scope.ts'

/** Instances looked at to choose one. */
const LOOKED_AT_MAX = 2000

/** Of classes that stand behind original pictures: screens, copies of paper, and what was computed. */
const BEHIND = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:7(?:\.\d+)?|66\.[4-7]|30|11\.\d+)$/

/**
 * The instance that stands for a study or series: the middle one of the first series with original pictures, else of
 * the first with any picture.
 * @throws ArchiveError 'request.not-found' when nothing is there, 'request.not-acceptable' when nothing can be drawn
 */
export async function representativeOf(
  reader: ArchiveReader,
  scope: Scope,
  visibility: Visibility,
): Promise<StoredInstance> {
  const series = new Map<string, StoredInstance[]>()
  let looked = 0
  for await (const instance of reader.instances(scope, visibility)) {
    if (++looked > LOOKED_AT_MAX) break
    if (instance.frames === null || transferSyntax(instance.transferSyntaxUID)?.multiFrameVideo === true) continue
    const same = series.get(instance.seriesInstanceUID)
    if (same === undefined) series.set(instance.seriesInstanceUID, [instance])
    else same.push(instance)
  }
  if (looked === 0) throw new ArchiveError('request.not-found', `no ${shown(scope)}`)
  const all = [...series.values()]
  const chosen = all.find(([first]) => first !== undefined && !BEHIND.test(first.sopClassUID)) ?? all[0]
  const instance = chosen?.[Math.floor((chosen.length - 1) / 2)]
  if (instance === undefined) throw new ArchiveError('request.not-acceptable', 'nothing of it is drawn as a picture')
  return instance
}
