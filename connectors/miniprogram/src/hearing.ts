// What the microphone hears goes into the box for the question, whichever button was pressed.
import { reactive } from 'vue'

export const hearing = reactive({
  /** Not yet in the box */
  heard: '',
  /** Why nothing was heard */
  problem: '',
  /** The button is held down */
  held: false,
  /** The finger has slid away from it: what is said is dropped */
  away: false,
})
