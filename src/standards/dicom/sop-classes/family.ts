import type { DataSet } from '../data-set.ts'

/** A coded concept. PS3.3 section 8.8: code value, coding scheme designator, code meaning. */
export interface Code {
  readonly value: string
  readonly scheme: string
  readonly meaning: string
}

/** One thing an object family reads out of an object: typed, searchable, rebuilt when the family's version changes. */
export interface Fact {
  /** Id of the family that extracted it. */
  readonly family: string
  /** Name within the family, kebab-case: `dlp-total`, `lead`, `document-title`. */
  readonly name: string
  readonly code?: Code
  readonly value: string | number
  /** UCUM unit of a number. */
  readonly unit?: string
  /** Where in the object: tags, item numbers from 1, or the concepts of a content tree, joined by `/`. */
  readonly path?: string
}

/** What a family's validation noticed. It never refuses an object: it is recorded and shown. */
export interface FamilyFinding {
  /** `<family id>:<rule>`, for example `xray-dose:accumulated-dose-missing`. */
  readonly rule: string
  readonly severity: 'info' | 'warning'
  readonly detail: string
  /** Eight uppercase hexadecimal digits, or a path of them joined by `.`; null when it is about the whole object. */
  readonly tag: string | null
}

/** A few lines for a person who looks at the object in a list. */
export interface Summary {
  readonly title: string
  readonly lines: readonly string[]
}

/** A kind of DICOM object the archive understands. One file in this folder per family. */
export interface ObjectFamily {
  readonly id: string
  /** Rises whenever `facts` would answer differently for the same object. */
  readonly version: number
  /**
   * @param sopClassUID of the data set
   * @param dataSet looked at only where the class alone does not tell
   */
  recognise(sopClassUID: string, dataSet: DataSet): boolean
  validate(dataSet: DataSet): readonly FamilyFinding[]
  facts(dataSet: DataSet): readonly Fact[]
  summary(dataSet: DataSet): Summary
}
