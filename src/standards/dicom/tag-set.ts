/** A set of tags in about eight bytes each, whatever a sender makes up. */
export class TagSet {
  #slots = new Uint32Array(16)
  #size = 0

  /** @returns false when the tag was there already. Tag 0 is kept in a slot of its own. */
  add(tag: number): boolean {
    if (tag === 0) {
      const fresh = !this.#hasZero
      this.#hasZero = true
      return fresh
    }
    if (this.#size * 2 >= this.#slots.length) this.#grow()
    if (!insert(this.#slots, tag)) return false
    this.#size++
    return true
  }

  #hasZero = false

  #grow(): void {
    const grown = new Uint32Array(this.#slots.length * 4)
    for (const tag of this.#slots) if (tag !== 0) insert(grown, tag)
    this.#slots = grown
  }
}

function insert(slots: Uint32Array, tag: number): boolean {
  const mask = slots.length - 1
  let at = (Math.imul(tag, 0x9e3779b1) >>> 7) & mask
  for (;;) {
    const held = slots[at]!
    if (held === tag) return false
    if (held === 0) {
      slots[at] = tag
      return true
    }
    at = (at + 1) & mask
  }
}
