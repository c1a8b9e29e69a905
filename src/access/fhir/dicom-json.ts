/** A row of a search as it stands in DICOM JSON. PS3.18 annex F. */
export interface DicomJson {
  readonly [tag: string]: { readonly vr: string; readonly Value?: readonly unknown[] } | undefined
}

/** Values of an attribute; of an attribute within a sequence by a path: `00081032.00080104`. */
function valuesAt(json: DicomJson, path: string): readonly unknown[] {
  const [tag = '', ...rest] = path.split('.')
  const values = json[tag]?.Value ?? []
  if (rest.length === 0) return values
  return values.flatMap((item) => valuesAt(item as DicomJson, rest.join('.')))
}

/** Texts of an attribute, empty ones left out. */
export function textsAt(json: DicomJson, path: string): string[] {
  return valuesAt(json, path).flatMap((value) => {
    if (typeof value === 'string') return value === '' ? [] : [value]
    return typeof value === 'number' ? [String(value)] : []
  })
}

export function firstText(json: DicomJson, path: string): string | undefined {
  return textsAt(json, path)[0]
}

export function numberAt(json: DicomJson, path: string): number | undefined {
  const [value] = valuesAt(json, path)
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

/** A person for display: `Prefix Given Middle Family Suffix`, of whichever script there is. */
export function personAt(json: DicomJson, path: string): string | undefined {
  const [value] = valuesAt(json, path)
  if (typeof value !== 'object' || value === null) return undefined
  const groups = value as { readonly Alphabetic?: string; readonly Ideographic?: string; readonly Phonetic?: string }
  return personDisplay(groups.Alphabetic ?? groups.Ideographic ?? groups.Phonetic ?? '')
}

/** @param name `Family^Given^Middle^Prefix^Suffix` */
export function personDisplay(name: string): string | undefined {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = name.split('^')
  const display = [prefix, given, middle, family, suffix].filter((part) => part !== '').join(' ')
  return display === '' ? undefined : display
}
