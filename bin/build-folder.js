// Where the build of exactly these sources is. Told from names, sizes and times of the files, so that it costs milliseconds;
// whatever differs, even a touched file, means another folder, and without one the sources themselves are run.
import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** File that is loaded to run a build. */
export const BUILT_MAIN = 'main.mjs'

/**
 * @param {string} root folder that holds package.json
 * @returns {string | undefined} folder of the build, whether it is there or not; undefined without node_modules beside us
 */
export function buildFolder(root) {
  try {
    const said = [process.version, process.platform, process.arch, root]
    const mark = (path) => {
      const { size, mtimeMs, ctimeMs } = statSync(`${root}/${path}`)
      said.push(`${path} ${size} ${mtimeMs} ${ctimeMs}`)
    }
    for (const path of ['package.json', 'node_modules/.package-lock.json', 'tools/build.ts']) mark(path)
    // Folder by folder: `recursive` takes four times as long.
    const walk = (folder) => {
      for (const entry of readdirSync(`${root}/${folder}`, { withFileTypes: true })) {
        const path = `${folder}/${entry.name}`
        if (entry.isDirectory()) walk(path)
        else if (/(?<!\.test)\.(ts|json)$/.test(entry.name)) mark(path)
      }
    }
    walk('src')
    const digest = createHash('sha256').update(said.sort().join('\n')).digest('hex').slice(0, 20)
    return join(root, 'node_modules', '.cache', 'diptych', digest)
  } catch {
    // Installed in another form than a checkout: the sources are run.
    return undefined
  }
}
