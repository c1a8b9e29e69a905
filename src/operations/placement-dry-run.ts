/** What a policy would change of what is stored, tried without changing anything. */
import type { DryRun, PlacementPolicy } from '#model/placement.ts'
import type { Situation } from '#model/placement-facts.ts'
import { decideSituation, says } from '#placement/decide.ts'
import { asItCame } from '#placement/rules/as-it-came.ts'
import type { PlacementDeskTools, Placements, Situations } from './placement-desk.ts'

/** Studies looked at between two breaths of a dry run. */
const DRY_RUN_PAGE = 100

/** What a policy would change of what stands, without changing it. */
export async function dryRun(
  { situations, book, saidNo }: Pick<PlacementDeskTools, 'situations' | 'book'> & Pick<Placements, 'saidNo'>,
  policy: PlacementPolicy,
  mayAct: (rule: string) => boolean,
  limit: number,
): Promise<DryRun> {
  const changes: DryRun['changes'][number][] = []
  let looked = 0
  for await (const situation of everySituation(situations)) {
    const verdicts = decideSituation(situation, policy, mayAct)
    const no = saidNo(situation)
    const standing = book.standing([...verdicts.keys()])
    for (const [objectId, verdict] of verdicts) {
      looked++
      const stands = standing.get(objectId)
      if (stands === undefined ? verdict.placement.rule === asItCame.id : says(stands, verdict)) continue
      if (no(verdict)) continue
      if (changes.length >= limit) return { looked, changes, more: true }
      changes.push({
        objectId,
        before: stands === undefined ? null : { rule: stands.placement.rule, effect: stands.effect.do },
        after: { rule: verdict.placement.rule, effect: verdict.effect.do, state: verdict.state },
        why: verdict.why,
      })
    }
  }
  return { looked, changes, more: false }
}

/** Studies, then documents that belong to none; other work gets its turn between the pages. */
async function* everySituation(situations: Situations): AsyncGenerator<Situation> {
  for (let after = 0; ; ) {
    const page = situations.studies(after, DRY_RUN_PAGE)
    for (const { studyInstanceUID } of page) yield situations.study(studyInstanceUID)
    const last = page.at(-1)
    if (last === undefined) break
    after = last.key
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  for (let after = 0; ; ) {
    const page = situations.loose(after, DRY_RUN_PAGE)
    for (const { objectId } of page) {
      const situation = situations.document(objectId)
      // Documents of one order come as one situation: told once, under the first of them.
      if (situation !== undefined && situation.documents[0]?.objectId === objectId) yield situation
    }
    const last = page.at(-1)
    if (last === undefined) return
    after = last.key
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
