/** Names of other files that a Wavefront OBJ or MTL text mentions. Text only: nothing resolves them. */
export interface ObjReferences {
  readonly libraries: readonly string[]
  readonly maps: readonly string[]
}

const NAMES_MAX = 1000

/** @param text OBJ or MTL source; lines end in LF or CRLF */
export function readObjReferences(text: string): ObjReferences {
  const libraries: string[] = []
  const maps: string[] = []
  let start = 0
  while (start < text.length && libraries.length + maps.length < NAMES_MAX) {
    let end = text.indexOf('\n', start)
    if (end < 0) end = text.length
    const line = text.slice(start, Math.min(end, start + 4096)).trim()
    if (line.startsWith('mtllib ')) libraries.push(line.slice(7).trim())
    else if (line.startsWith('map_') || line.startsWith('bump ') || line.startsWith('disp ')) {
      maps.push(line.slice(line.indexOf(' ') + 1).trim())
    }
    start = end + 1
  }
  return { libraries, maps }
}
