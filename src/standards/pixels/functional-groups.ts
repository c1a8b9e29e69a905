import { type DataSet, sequence } from '../dicom/data-set.ts'

const SHARED = 0x52009229
const PER_FRAME = 0x52009230

/**
 * The item of a functional group for a frame: its own, else the one all frames share. PS3.3 section C.7.6.16.
 * @param frame from 1
 * @returns undefined for an object without such a group
 */
export function groupItem(dataSet: DataSet, frame: number, group: number): DataSet | undefined {
  const own = sequence(dataSet, PER_FRAME)[frame - 1]
  const [shared] = sequence(dataSet, SHARED)
  return (own && sequence(own, group)[0]) ?? (shared && sequence(shared, group)[0])
}
