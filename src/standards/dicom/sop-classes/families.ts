import type { DataSet } from '../data-set.ts'
import { ecgs } from './ecg.ts'
import { encapsulatedDocuments } from './encapsulated-document.ts'
import type { Code, Fact, FamilyFinding, ObjectFamily } from './family.ts'
import { secondaryCaptures } from './secondary-capture.ts'
import { xrayDose } from './xray-dose.ts'

/** Most facts and findings kept of one object, and most characters of one of their texts. */
export const FACTS_MAX = 10_000
export const FINDINGS_MAX = 100
export const TEXT_MAX = 1024

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX - 1)}\u2026`
}

function cutCode({ value, scheme, meaning }: Code): Code {
  return { value: cut(value), scheme: cut(scheme), meaning: cut(meaning) }
}

function cutFact(fact: Fact): Fact {
  return {
    ...fact,
    value: typeof fact.value === 'string' ? cut(fact.value) : fact.value,
    ...(fact.code === undefined ? {} : { code: cutCode(fact.code) }),
    ...(fact.unit === undefined ? {} : { unit: cut(fact.unit) }),
  }
}

function cutFinding(finding: FamilyFinding): FamilyFinding {
  return { ...finding, detail: cut(finding.detail) }
}

/** What an object says about itself is bounded here, for all families alike: it goes into the index. */
function bounded(family: ObjectFamily): ObjectFamily {
  return {
    id: family.id,
    version: family.version,
    recognise: (sopClassUID, dataSet) => family.recognise(sopClassUID, dataSet),
    validate: (dataSet) => family.validate(dataSet).slice(0, FINDINGS_MAX).map(cutFinding),
    facts: (dataSet) => family.facts(dataSet).slice(0, FACTS_MAX).map(cutFact),
    summary(dataSet) {
      const { title, lines } = family.summary(dataSet)
      return { title: cut(title), lines: lines.map(cut) }
    },
  }
}

/** Every object family, the more particular before the more general: the first that recognises an object has it. */
export const FAMILIES: readonly ObjectFamily[] = [encapsulatedDocuments, ecgs, xrayDose, secondaryCaptures].map(bounded)

/** The family of an object; undefined when none knows it. */
export function familyOf(sopClassUID: string, dataSet: DataSet): ObjectFamily | undefined {
  return FAMILIES.find((family) => family.recognise(sopClassUID, dataSet))
}
