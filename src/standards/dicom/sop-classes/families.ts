import type { DataSet } from '../data-set.ts'
import { ecgs } from './ecg.ts'
import { encapsulatedDocuments } from './encapsulated-document.ts'
import type { ObjectFamily } from './family.ts'
import { secondaryCaptures } from './secondary-capture.ts'
import { xrayDose } from './xray-dose.ts'

/** Every object family, the more particular before the more general: the first that recognises an object has it. */
export const FAMILIES: readonly ObjectFamily[] = [encapsulatedDocuments, ecgs, xrayDose, secondaryCaptures]

/** The family of an object; undefined when none knows it. */
export function familyOf(sopClassUID: string, dataSet: DataSet): ObjectFamily | undefined {
  return FAMILIES.find((family) => family.recognise(sopClassUID, dataSet))
}
