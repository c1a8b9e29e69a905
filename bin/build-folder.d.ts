export const BUILT_MAIN: string
export function buildFolder(root: string): string | undefined
