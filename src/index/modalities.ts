/**
 * Modalities that have a bit of their own in the mask of a study; PS3.3 C.7.3.1.1.1. The order is part of the stored
 * format: new ones are added at the end, up to 50. Others are found by the lookup table.
 */
const MODALITIES: readonly string[] = (
  'CT MR US CR DX MG XA RF NM PT OT SR KO PR DOC SEG RTSTRUCT RTPLAN RTDOSE RTIMAGE RTRECORD REG ECG EPS HD ES GM SM ' +
  'XC OP OPT OPM IO PX IVUS IVOCT BI BMD DG LS TG AU M3D FID RWV SMR PLAN CTPROTOCOL XAPROTOCOL RESP'
).split(' ')

/** Set when a study holds a modality without a bit of its own. */
const OTHER_BIT = 50

/** Bit of a modality as a number; undefined when it has none of its own. Masks stay below 2^53. */
export function modalityBit(modality: string): number | undefined {
  const bit = MODALITIES.indexOf(modality)
  return bit < 0 ? undefined : 2 ** bit
}

/** The mask of a study. */
export function modalityMask(modalities: Iterable<string>): number {
  let mask = 0
  const seen = new Set<number>()
  for (const modality of modalities) {
    if (modality === '') continue
    const bit = modalityBit(modality) ?? 2 ** OTHER_BIT
    if (seen.has(bit)) continue
    seen.add(bit)
    mask += bit
  }
  return mask
}
