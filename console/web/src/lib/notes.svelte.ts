// SPDX-License-Identifier: Apache-2.0
// What became of an act: said in one place, gone after a while.

export interface Note { id: number; text: string; bad: boolean }

class Notes {
  all = $state.raw<Note[]>([])
  #last = 0

  say(text: string, bad = false) {
    const note = { id: ++this.#last, text, bad }
    this.all = [...this.all.slice(-3), note]
    setTimeout(() => this.drop(note.id), bad ? 15_000 : 5000)
  }

  drop(id: number) {
    this.all = this.all.filter((n) => n.id !== id)
  }
}

export const notes = new Notes()
