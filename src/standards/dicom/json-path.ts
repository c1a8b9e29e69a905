/** A data set as DICOM JSON that came from somewhere: nothing of its form is believed. PS3.18 annex F. */
export type JsonDataSet = { readonly [tag: string]: unknown }

/** VR of an element; UN when it says none. */
export function vrOf(element: unknown): string {
  const vr = typeof element === 'object' && element !== null && 'vr' in element ? element.vr : undefined
  return typeof vr === 'string' ? vr : 'UN'
}

/** Items of a sequence, none for anything else. */
export function itemsOf(element: unknown): readonly JsonDataSet[] {
  const value = typeof element === 'object' && element !== null && 'Value' in element ? element.Value : undefined
  return Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null) : []
}

/**
 * Values at a path of DICOM JSON as texts; names as `A=I=P`. PS3.18 annex F.
 * @param path `00100010`, or into a sequence with zero-based items `00400275/0/00400009`
 */
export function valuesAt(dataSet: JsonDataSet, path: string): readonly string[] {
  const steps = path.split('/')
  let within: JsonDataSet | undefined = dataSet
  for (let at = 0; at + 2 < steps.length; at += 2) {
    within = itemsOf(within?.[steps[at] ?? ''])[Number(steps[at + 1])]
  }
  const element = within?.[steps.at(-1) ?? '']
  const value = typeof element === 'object' && element !== null && 'Value' in element ? element.Value : undefined
  if (!Array.isArray(value) || vrOf(element) === 'SQ') return []
  return value.map(textOf)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null) return ''
  const { Alphabetic, Ideographic, Phonetic }: { [group: string]: unknown } = { ...value }
  const groups = [Alphabetic, Ideographic, Phonetic].map((group) => (typeof group === 'string' ? group : ''))
  while (groups.length > 1 && groups.at(-1) === '') groups.pop()
  return groups.join('=')
}
